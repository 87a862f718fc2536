//! A policy that may be absent.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{request, response};
use pin_project_lite::pin_project;

use super::{Decision, Lease, Policy, TakeReady};
use crate::Rejection;

/// A policy that may be absent, for stacks assembled from a configuration.
impl<P: Policy> Policy for Option<P> {
    type Grant = Option<P::Grant>;
    type Future = Granted<P::Future>;

    fn name(&self) -> &'static str {
        self.as_ref().map_or("none", P::name)
    }

    fn decide(&self, request: &mut request::Parts) -> Decision<Self::Grant, Self::Future> {
        match self.as_ref().map(|policy| policy.decide(request)) {
            None => Decision::Allow(None),
            Some(Decision::Allow(grant)) => Decision::Allow(Some(grant)),
            Some(Decision::Refuse(rejection)) => Decision::Refuse(rejection),
            Some(Decision::Answer(response)) => Decision::Answer(response),
            Some(Decision::Later(future)) => Decision::Later(Granted { future }),
        }
    }

    fn granted(&self, grant: &mut Self::Grant, request: &mut request::Parts) {
        if let (Some(policy), Some(grant)) = (self, grant) {
            policy.granted(grant, request);
        }
    }

    fn lease(&self, grant: &mut Self::Grant) -> Option<Lease> {
        self.as_ref()?.lease(grant.as_mut()?)
    }

    fn respond(&self, grant: Self::Grant, response: &mut response::Parts) {
        if let (Some(policy), Some(grant)) = (self, grant) {
            policy.respond(grant, response);
        }
    }
}

pin_project! {
    /// The future of an optional policy: its grant, as `Some`.
    #[derive(Debug)]
    pub struct Granted<F> {
        #[pin]
        future: F,
    }
}

impl<F, G> Future for Granted<F>
where
    F: Future<Output = Result<G, Rejection>>,
{
    type Output = Result<Option<G>, Rejection>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().future.poll(cx).map_ok(Some)
    }
}

impl<S, F: TakeReady<S>> TakeReady<S> for Granted<F> {
    fn take_ready(&self, service: &mut S) -> S {
        self.future.take_ready(service)
    }
}
