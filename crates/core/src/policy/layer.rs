use std::{fmt, sync::Arc};

use tower_layer::Layer;

use super::{Named, Policy, PolicyService};

/// Puts a [`Policy`] around a service.
///
/// ```
/// use gatewright_core::{Decision, Immediate, Policy, PolicyLayer, Rejection};
/// use http::{Request, Response, StatusCode, request::Parts};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// struct NoUploads;
///
/// impl Policy for NoUploads {
///     type Grant = ();
///     type Future = Immediate;
///
///     fn name(&self) -> &'static str {
///         "no-uploads"
///     }
///
///     fn decide(&self, request: &mut Parts) -> Decision<(), Immediate> {
///         if request.method.is_safe() {
///             Decision::Allow(())
///         } else {
///             Decision::Refuse(Rejection::new(StatusCode::FORBIDDEN, self.name(), "unsafe_method"))
///         }
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let files = ServiceBuilder::new()
///     .layer(PolicyLayer::new(NoUploads))
///     .service(service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(()))));
///
/// assert_eq!(files.clone().oneshot(Request::get("/").body(())?).await?.status(), 200);
/// assert_eq!(files.oneshot(Request::put("/").body(())?).await?.status(), 403);
/// # Ok(())
/// # }
/// ```
pub struct PolicyLayer<P> {
    policy: Arc<Named<P>>,
}

impl<P: Policy> PolicyLayer<P> {
    /// A layer of this policy. All services that it makes, and their clones, share the policy's state.
    pub fn new(policy: P) -> Self {
        Self { policy: Arc::new(policy.into()) }
    }
}

impl<P, S> Layer<S> for PolicyLayer<P> {
    type Service = PolicyService<P, S>;

    fn layer(&self, inner: S) -> Self::Service {
        PolicyService::new(Arc::clone(&self.policy), inner)
    }
}

impl<P> Clone for PolicyLayer<P> {
    fn clone(&self) -> Self {
        Self { policy: Arc::clone(&self.policy) }
    }
}

impl<P: Policy> fmt::Debug for PolicyLayer<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PolicyLayer").field(&self.policy.policy.name()).finish()
    }
}
