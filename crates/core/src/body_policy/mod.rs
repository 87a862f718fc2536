//! Policies that look at the body of a request too.
//!
//! 1. A body policy says from the head of a request how it looks at the body: not at all, by counting its bytes, or whole
//!    ([`Look`]). A body that is not looked at is not touched; one that is counted streams.
//! 2. A body that is looked at whole is held in memory, within the cap of the policy and within the one
//!    [`BufferBudget`] of the process. The same bytes go on to the service, with the trailers.
//! 3. A body over its cap is refused with 413, at once when `Content-Length` tells. A body that turns out longer while it
//!    streams ends in an error of the kind [`RequestBodyTooLarge`](crate::ErrorKind::RequestBodyTooLarge), which becomes
//!    the same 413 when no response has begun. A body that finds no room in the budget is refused with 503.
//! 4. All else is as with a [`Policy`](crate::Policy): a refusal is a response, decisions are written into the
//!    [`RequestRecord`](crate::RequestRecord), and readiness is the inner service's alone.

mod budget;
mod buffered;
mod future;
mod layer;
mod request_body;
mod service;

use std::future::Future;

use http::{StatusCode, header::RETRY_AFTER, request, response};

pub use budget::BufferBudget;
pub use buffered::BufferedBody;
pub use future::BodyPolicyFuture;
pub use layer::BodyPolicyLayer;
pub use request_body::RequestBody;
pub use service::BodyPolicyService;

use crate::{Decision, Rejection};

/// Looks at the head and the body of a request, and lets the request go on or refuses it.
pub trait BodyPolicy: Send + Sync + 'static {
    /// What an admitted request carries until the head of its response is there; `()` when nothing.
    type Grant: Send;
    /// A decision that has to wait; [`Immediate`](crate::Immediate) for a policy that never does.
    type Future: Future<Output = Result<Self::Grant, Rejection>> + Send;

    /// The policy's name in logs and metrics, in kebab-case.
    fn name(&self) -> &'static str;

    /// Says from the head how to look at the body.
    fn look(&self, request: &request::Parts) -> Look;

    /// Decides about a request whose body it [looks at whole](Look::Whole).
    fn decide(&self, request: &mut request::Parts, body: &BufferedBody) -> Decision<Self::Grant, Self::Future>;

    /// Touches the head of the response to a request that it has decided to admit.
    fn respond(&self, grant: Self::Grant, response: &mut response::Parts) {
        let _ = (grant, response);
    }
}

/// How a [`BodyPolicy`] looks at the body of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "these are all the ways to look at a body")]
pub enum Look {
    /// Not at all: the request goes on at once.
    Nothing,
    /// By counting: the body streams, and may have so many bytes.
    Length(u64),
    /// The policy decides when the whole body is there, which may have so many bytes.
    Whole(u64),
}

/// The refusal of a body that is longer than the policy of this name allows.
fn too_large(policy: &'static str) -> Rejection {
    Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, policy, "body_too_large")
        .detail("The request body is too large.")
}

/// The refusal of a body for which the process has no memory left.
fn no_room(policy: &'static str) -> Rejection {
    Rejection::new(StatusCode::SERVICE_UNAVAILABLE, policy, "buffers_full")
        .detail("The gateway holds too many request bodies. Try again later.")
        .header(RETRY_AFTER, 1.into())
}

#[cfg(test)]
mod tests;
