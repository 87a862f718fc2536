use std::task::{Context, Poll};

use http::Request;

use super::{body::TimedBody, tracked::Tracked};
use crate::service::{Application, Exchange};

/// What a stream begins with.
pub(super) enum Start<S: Application> {
    /// The service, or an answer of our own.
    Call(Exchange<S, Tracked>),
    /// A look at the body, which some clients end with an empty frame after the head.
    Body(Opening<S>),
}

/// A request on whose body one look is taken before the service has it, so that an empty one is known as such.
pub(super) struct Opening<S> {
    pub(super) service: S,
    pub(super) request: Request<TimedBody>,
    pub(super) tracked: Tracked,
    /// Whether the look is worth a short wait.
    pub(super) is_likely_empty: bool,
}

impl<S: Application> Opening<S> {
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.request.body_mut().poll_first(cx)
    }

    pub(super) fn call(self) -> Exchange<S, Tracked> {
        Exchange::call(self.service, self.request.map(TimedBody::into_service), self.tracked)
    }
}
