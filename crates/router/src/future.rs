use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use gatewright_core::{Body, Error, ReplyFormat, RequestRecord, problem};
use http::Response;

use crate::erased::ErasedFuture;

/// The future of [`RouterService`](crate::RouterService).
pub struct RouterFuture(State);

enum State {
    Answered(Option<Response<Body>>),
    Routed { response: ErasedFuture, format: ReplyFormat, record: Option<RequestRecord> },
}

impl RouterFuture {
    pub(crate) fn answered(response: Response<Body>) -> Self {
        Self(State::Answered(Some(response)))
    }

    pub(crate) fn routed(response: ErasedFuture, format: ReplyFormat, record: Option<RequestRecord>) -> Self {
        Self(State::Routed { response, format, record })
    }
}

impl Future for RouterFuture {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Answered(response) => {
                Poll::Ready(Ok(response.take().expect("a future is not polled after it has completed")))
            }
            State::Routed { response, format, record } => {
                let response = ready!(response.as_mut().poll(cx));
                Poll::Ready(Ok(response.unwrap_or_else(|error| failure(&error, *format, record.as_ref()))))
            }
        }
    }
}

/// The response to a route's failure, which the record keeps.
fn failure(error: &Error, format: ReplyFormat, record: Option<&RequestRecord>) -> Response<Body> {
    let request_id = record.and_then(|record| {
        record.with(|summary| {
            summary.error = Some(error.kind());
            summary.request_id.clone()
        })
    });
    problem::from_error(error, format, request_id.as_ref()).map(Body::once)
}

impl fmt::Debug for RouterFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouterFuture").finish_non_exhaustive()
    }
}
