//! The body of a request on its way to the service.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_core::{Error, ErrorKind};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::state::{State, Stream};

/// Fails when the client pauses for too long, or gives the stream up.
pub(super) struct TimedBody {
    body: Incoming,
    state: Arc<State>,
    stream: Arc<Stream>,
    trailers: bool,
}

impl TimedBody {
    pub(super) fn new(body: Incoming, state: Arc<State>, stream: Arc<Stream>) -> Self {
        Self { body, state, stream, trailers: false }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(cx) {
            // hyper takes a reset that reports no error for the end, also when the client has not ended the stream.
            Poll::Ready(None) if !this.trailers && !this.body.is_end_stream() => Poll::Ready(Some(Err(
                Error::new(ErrorKind::RequestBody, "the stream was reset before its end"),
            ))),
            Poll::Ready(frame) => {
                this.stream.body_moved();
                this.trailers |= matches!(&frame, Some(Ok(frame)) if frame.is_trailers());
                Poll::Ready(frame.map(|frame| frame.map_err(Error::from_body)))
            }
            Poll::Pending if this.stream.is_body_expired() => {
                Poll::Ready(Some(Err(Error::new(ErrorKind::RequestBodyTimeout, "slow_body"))))
            }
            Poll::Pending => {
                this.stream.await_body(cx);
                let activity = this.state.activity();
                activity.begin(&this.stream.body_awaited);
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        self.stream.body_awaited.clear();
    }
}
