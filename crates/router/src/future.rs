use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use gatewright_core::Body;
use http::Response;

use crate::{erased::ErasedFuture, failure::Failure};

/// The future of [`RouterService`](crate::RouterService).
pub struct RouterFuture(State);

enum State {
    Answered(Option<Response<Body>>),
    Routed { response: ErasedFuture, failure: Failure },
}

impl RouterFuture {
    pub(crate) fn answered(response: Response<Body>) -> Self {
        Self(State::Answered(Some(response)))
    }

    pub(crate) fn routed(response: ErasedFuture, failure: Failure) -> Self {
        Self(State::Routed { response, failure })
    }
}

impl Future for RouterFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Answered(response) => {
                Poll::Ready(Ok(response.take().expect("a future is not polled after it has completed")))
            }
            State::Routed { response, failure } => {
                let response = ready!(response.as_mut().poll(cx));
                Poll::Ready(Ok(response.unwrap_or_else(|error| failure.answer(&error))))
            }
        }
    }
}

impl fmt::Debug for RouterFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterFuture").finish_non_exhaustive()
    }
}
