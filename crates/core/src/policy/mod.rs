//! One mechanism for all policies.
//!
//! Authentication, limits, address lists, WAF, CORS, contracts and rewrites do the same thing: look at a request,
//! let it go on, refuse it or answer it, and perhaps touch the response. A policy says only that; the layer, the
//! service and the future are written once, here.
//!
//! 1. A policy decides from the request's head. It may change the head while it decides.
//! 2. A decision that needs to wait gives a future; the request waits, and the policy sees the head once more in
//!    [`Policy::granted`]. A decision that is there at once costs no allocation.
//! 3. A policy gets its grant back with the response. A [`Lease`] lives until the response's body has ended.
//! 4. A refusal is a response. It is written into the [`RequestRecord`](crate::RequestRecord), so that the access
//!    log, the audit log and the metrics see all refusals in one place. Admissions are written there too when somebody
//!    [watches](crate::RequestRecord::watch_decisions) them.
//! 5. Readiness is the inner service's alone: a policy never makes a service unready, nor fails it.

mod decided;
mod function;
mod future;
mod layer;
mod lease;
mod list;
mod optional;
mod service;

use std::future::Future;

use bytes::Bytes;
use http::{Response, request, response};

pub use decided::{Immediate, TakeReady};
pub use function::{PolicyFn, policy_fn};
pub use future::PolicyFuture;
pub use layer::PolicyLayer;
pub use lease::Lease;
pub use list::{PolicyList, PolicyListFuture, PolicyListService};
pub use service::PolicyService;

pub(crate) use decided::{Named, note, note_refusal};

use crate::Rejection;

/// Looks at a request, lets it go on or refuses it, and perhaps touches the response.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no policy",
    label = "this decides nothing about requests",
    note = "a layer of a policy gives it by `.into_policy()`; the layer itself needs no `PolicyLayer` around it"
)]
pub trait Policy: Send + Sync + 'static {
    /// What an admitted request carries until the head of its response is there; `()` when nothing.
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

    /// What an admitted request holds until its response's body has ended, or the tunnel that it becomes.
    fn lease(&self, grant: &mut Self::Grant) -> Option<Lease> {
        let _ = grant;
        None
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

#[cfg(test)]
mod tests;
