use std::task::{Context, Poll};

use http::Request;

use super::{body::TimedBody, tracked::Tracked};
use crate::service::{Application, Exchange};

/// The first stage of a stream's task.
pub(super) enum Start<S: Application> {
    /// Call the service, or send an answer of our own.
    Call(Exchange<S, Tracked>),
    /// Look at the body first: some clients send an empty frame after the head of a request without a body.
    Body(Opening<S>),
}

/// A request whose first body frame is read before the service is called, so that an empty body is known to be empty.
pub(super) struct Opening<S> {
    pub(super) service: S,
    pub(super) request: Request<TimedBody>,
    pub(super) tracked: Tracked,
    /// Whether the body is probably empty, so that a short wait for its first frame pays.
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
