//! One mechanism for all policies.
//!
//! Authentication, limits, address lists, WAF, CORS, contracts and rewrites do the same thing: look at a request,
//! let it go on, refuse it or answer it, and perhaps touch the response. A policy says only that; the layer, the
//! service and the future are written once, here.
//!
//! 1. A policy decides from the request's head. It may change the head while it decides.
//! 2. A decision that needs to wait gives a future; the request waits, and the policy sees the head once more in
//!    [`Policy::granted`]. A decision that is there at once costs no allocation.
//! 3. What a policy grants is handed back to it with the response.
//! 4. A refusal is a response. It is written into the [`RequestRecord`](crate::RequestRecord), so that the access
//!    log, the audit log and the metrics see all refusals in one place.
//! 5. Readiness is the inner service's alone: a policy never makes a service unready, nor fails it.

mod function;
mod future;
mod layer;
mod service;

use std::future::{Future, Ready};

use bytes::Bytes;
use http::{Response, request, response};

pub use function::{PolicyFn, policy_fn};
pub use future::PolicyFuture;
pub use layer::PolicyLayer;
pub use service::PolicyService;

use crate::Rejection;

/// Looks at a request, lets it go on or refuses it, and perhaps touches the response.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no policy",
    label = "this decides nothing about requests",
    note = "a layer of a policy gives it by `.into_policy()`; the layer itself needs no `PolicyLayer` around it"
)]
pub trait Policy: Send + Sync + 'static {
    /// What an admitted request carries until its response is there; `()` when nothing.
    type Grant: Send;
    /// A decision that has to wait; [`Immediate`] for a policy that never does.
    type Future: Future<Output = Result<Self::Grant, Rejection>> + Send;

    /// The policy's name in logs and metrics, in kebab-case.
    fn name(&self) -> &'static str;

    /// Decides from the head of a request.
    fn decide(&self, request: &mut request::Parts) -> Decision<Self::Grant, Self::Future>;

    /// Touches the head of an admitted request, just before it goes on.
    fn granted(&self, grant: &mut Self::Grant, request: &mut request::Parts) {
        let _ = (grant, request);
    }

    /// Touches the head of the response to an admitted request.
    fn respond(&self, grant: Self::Grant, response: &mut response::Parts) {
        let _ = (grant, response);
    }
}

/// A policy's decision.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "these four are all that can become of a request")]
pub enum Decision<G, F> {
    /// The request goes on.
    Allow(G),
    /// The request is refused.
    Refuse(Rejection),
    /// The policy answers in the service's place: a redirect or a preflight, say.
    Answer(Response<Bytes>),
    /// The decision waits for something.
    Later(F),
}

/// The future of a policy that decides at once.
pub type Immediate<G = ()> = Ready<Result<G, Rejection>>;

/// A policy that may be absent, for stacks assembled from a configuration.
impl<P: Policy> Policy for Option<P> {
    type Grant = Option<P::Grant>;
    type Future = future::Granted<P::Future>;

    fn name(&self) -> &'static str {
        self.as_ref().map_or("none", P::name)
    }

    fn decide(&self, request: &mut request::Parts) -> Decision<Self::Grant, Self::Future> {
        match self.as_ref().map(|policy| policy.decide(request)) {
            None => Decision::Allow(None),
            Some(Decision::Allow(grant)) => Decision::Allow(Some(grant)),
            Some(Decision::Refuse(rejection)) => Decision::Refuse(rejection),
            Some(Decision::Answer(response)) => Decision::Answer(response),
            Some(Decision::Later(future)) => Decision::Later(future::Granted::new(future)),
        }
    }

    fn granted(&self, grant: &mut Self::Grant, request: &mut request::Parts) {
        if let (Some(policy), Some(grant)) = (self, grant) {
            policy.granted(grant, request);
        }
    }

    fn respond(&self, grant: Self::Grant, response: &mut response::Parts) {
        if let (Some(policy), Some(grant)) = (self, grant) {
            policy.respond(grant, response);
        }
    }
}

#[cfg(test)]
mod tests;
