use std::fmt;

use http::request;

use super::{Decision, Immediate, Policy};
use crate::Rejection;

/// A policy of a function that decides at once.
///
/// The name is that of [`Policy::name`]. A policy with a grant, or one that has to wait, implements [`Policy`] itself.
///
/// ```
/// use gatewright_core::{PolicyLayer, Rejection, policy_fn};
/// use http::{Request, Response, StatusCode, request::Parts};
/// use tower::{ServiceBuilder, ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let no_uploads = policy_fn("no-uploads", |request: &mut Parts| match request.method.is_safe() {
///     true => Ok(()),
///     false => Err(Rejection::new(StatusCode::FORBIDDEN, "no-uploads", "unsafe_method")),
/// });
///
/// let files = ServiceBuilder::new()
///     .layer(PolicyLayer::new(no_uploads))
///     .service(service_fn(async |_: Request<()>| Ok::<_, std::convert::Infallible>(Response::new(()))));
///
/// assert_eq!(files.clone().oneshot(Request::get("/").body(())?).await?.status(), 200);
/// assert_eq!(files.oneshot(Request::put("/").body(())?).await?.status(), 403);
/// # Ok(())
/// # }
/// ```
pub fn policy_fn<F>(name: &'static str, decide: F) -> PolicyFn<F>
where
    F: Fn(&mut request::Parts) -> Result<(), Rejection> + Send + Sync + 'static,
{
    PolicyFn { name, decide }
}

/// The policy that [`policy_fn`] makes.
#[derive(Clone)]
pub struct PolicyFn<F> {
    name: &'static str,
    decide: F,
}

impl<F> Policy for PolicyFn<F>
where
    F: Fn(&mut request::Parts) -> Result<(), Rejection> + Send + Sync + 'static,
{
    type Grant = ();
    type Future = Immediate;

    fn name(&self) -> &'static str {
        self.name
    }

    fn decide(&self, request: &mut request::Parts) -> Decision<(), Immediate> {
        match (self.decide)(request) {
            Ok(()) => Decision::Allow(()),
            Err(rejection) => Decision::Refuse(rejection),
        }
    }
}

impl<F> fmt::Debug for PolicyFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PolicyFn").field(&self.name).finish()
    }
}
