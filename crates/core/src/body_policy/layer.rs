use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::{BodyPolicy, BodyPolicyService, BufferBudget};
use crate::policy::Named;

/// Puts a [`BodyPolicy`] around a service. The service takes bodies of [`RequestBody`](super::RequestBody).
///
/// ```
/// use bytes::Bytes;
/// use gatewright_core::{BodyPolicy, BodyPolicyLayer, BufferedBody, Decision, Immediate, Look, Rejection, RequestBody};
/// use http::{Request, Response, StatusCode, request::Parts};
/// use http_body_util::{BodyExt, Full};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// /// Refuses texts that shout.
/// struct Quiet;
///
/// impl BodyPolicy for Quiet {
///     type Grant = ();
///     type Future = Immediate;
///
///     fn name(&self) -> &'static str {
///         "quiet"
///     }
///
///     fn look(&self, request: &Parts) -> Look {
///         if request.method.is_safe() { Look::Nothing } else { Look::Whole(1 << 20) }
///     }
///
///     fn decide(&self, _: &mut Parts, body: &BufferedBody) -> Decision<(), Immediate> {
///         match body.data().ends_with(b"!") {
///             false => Decision::Allow(()),
///             true => Decision::Refuse(Rejection::new(StatusCode::UNPROCESSABLE_ENTITY, "quiet", "shouts")),
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let service = ServiceBuilder::new().layer(BodyPolicyLayer::new(Quiet)).service(service_fn(
///     async |request: Request<RequestBody<Full<Bytes>>>| {
///         let body = request.into_body().collect().await?.to_bytes();
///         Ok::<_, gatewright_core::Error>(Response::new(Full::from(body)))
///     },
/// ));
///
/// let response = service.clone().oneshot(Request::post("/").body(Full::from("hello"))?).await?;
/// assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
/// let response = service.oneshot(Request::post("/").body(Full::from("hello!"))?).await?;
/// assert_eq!(response.status(), 422);
/// # Ok(())
/// # }
/// ```
pub struct BodyPolicyLayer<P> {
    shared: Arc<Shared<P>>,
}

pub(super) struct Shared<P> {
    pub(super) named: Named<P>,
    pub(super) budget: BufferBudget,
}

impl<P: BodyPolicy> BodyPolicyLayer<P> {
    /// A layer of this policy, whose bodies count towards the budget of the process.
    pub fn new(policy: P) -> Self {
        Self::with_budget(policy, BufferBudget::of_process())
    }

    /// The same with a budget of its own.
    pub fn with_budget(policy: P, budget: BufferBudget) -> Self {
        let name = policy.name();
        Self { shared: Arc::new(Shared { named: Named::new(policy, name), budget }) }
    }
}

impl<P, S> Layer<S> for BodyPolicyLayer<P> {
    type Service = BodyPolicyService<P, S>;

    fn layer(&self, inner: S) -> Self::Service {
        BodyPolicyService::new(Arc::clone(&self.shared), inner)
    }
}

impl<P> Clone for BodyPolicyLayer<P> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<P: BodyPolicy> fmt::Debug for BodyPolicyLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BodyPolicyLayer").field(&self.shared.named.policy.name()).finish()
    }
}
