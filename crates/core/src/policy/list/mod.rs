//! Several policies of one type, in order.

mod future;
mod progress;
mod service;

use std::{fmt, sync::Arc};

use tower_layer::Layer;

pub use future::PolicyListFuture;
pub use service::PolicyListService;

use super::{Named, Policy};

/// Puts policies around a service, the first one outermost.
///
/// It does the same as one [`PolicyLayer`](super::PolicyLayer) for each policy, for a list that is known only when a
/// configuration has been read. The policies have one type, so a program whose policies differ has an enum of them.
/// A policy that is not in the list costs nothing.
///
/// ```
/// use gatewright_core::{PolicyList, Rejection, policy_fn};
/// use http::{Request, Response, StatusCode, request::Parts};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let closed: Vec<String> = vec!["/admin".into(), "/internal".into()];
/// let policies = closed.into_iter().map(|prefix| {
///     policy_fn("closed", move |request: &mut Parts| match request.uri.path().starts_with(&prefix) {
///         false => Ok(()),
///         true => Err(Rejection::new(StatusCode::FORBIDDEN, "closed", "not_open")),
///     })
/// });
/// let service = ServiceBuilder::new()
///     .layer(PolicyList::new(policies))
///     .service(service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(()))));
///
/// assert_eq!(service.clone().oneshot(Request::get("/orders").body(())?).await?.status(), 200);
/// assert_eq!(service.oneshot(Request::get("/internal/x").body(())?).await?.status(), 403);
/// # Ok(())
/// # }
/// ```
pub struct PolicyList<P> {
    policies: Arc<[Named<P>]>,
}

impl<P: Policy> PolicyList<P> {
    /// A layer of these policies, outermost first. All services that it makes, and their clones, share the policies' state.
    pub fn new(policies: impl IntoIterator<Item = P>) -> Self {
        Self { policies: policies.into_iter().map(Named::from).collect() }
    }

    /// The policies, outermost first.
    pub fn policies(&self) -> impl Iterator<Item = &P> {
        self.policies.iter().map(|named| &named.policy)
    }

    /// Whether there is no policy in the list.
    pub fn is_empty(&self) -> bool {
        self.policies.is_empty()
    }
}

impl<P, S> Layer<S> for PolicyList<P> {
    type Service = PolicyListService<P, S>;

    fn layer(&self, inner: S) -> Self::Service {
        PolicyListService::new(Arc::clone(&self.policies), inner)
    }
}

impl<P> Clone for PolicyList<P> {
    fn clone(&self) -> Self {
        Self { policies: Arc::clone(&self.policies) }
    }
}

impl<P: Policy> fmt::Debug for PolicyList<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.policies().map(P::name)).finish()
    }
}

#[cfg(test)]
mod tests;
