//! The body of a request on its way to the service.
//!
//! When the service drops a body, the rest of the body is thrown away for a while, as on an HTTP/1 connection. Many
//! clients take a reset after the response for a failure, or read the response only after they have sent everything.

use std::{
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{Error, ErrorKind};
use gatewright_http1::Rules;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};
use tokio::{runtime::Handle, time::timeout};

use super::{checks, state::State, streams::Stream};
use crate::connection::{Shared, draining_for};

/// A body that fails when the client pauses for too long or resets the stream.
pub(super) struct TimedBody {
    body: Received,
    /// The bytes that are still to come, by `content-length`.
    left: Option<u64>,
    data_over: bool,
    /// The first frame, if it was read before the service asked for it.
    first: First,
    rules: Rules,
    state: Arc<State>,
    stream: Arc<Stream>,
}

/// h2's part of a body. When it is dropped before the end, the rest of the body is thrown away.
struct Received {
    /// `None` once the rest is thrown away.
    stream: Option<RecvStream>,
    shared: Arc<Shared>,
}

/// The first frame of a body.
enum First {
    /// The first frame has not been read yet, or the service has it.
    Nothing,
    Frame(Result<Frame<Bytes>, Error>),
    /// The body is empty.
    End,
}

impl TimedBody {
    pub(super) fn new(
        body: RecvStream,
        length: Option<u64>,
        rules: Rules,
        state: Arc<State>,
        stream: Arc<Stream>,
        shared: Arc<Shared>,
    ) -> Self {
        let body = Received { stream: Some(body), shared };
        Self { body, left: length, data_over: false, first: First::Nothing, rules, state, stream }
    }

    /// Ready when it is known whether the body is empty. Empty frames are skipped.
    pub(super) fn poll_first(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let First::Nothing = self.first {
            self.first = match ready!(self.poll_next(cx)) {
                Some(Ok(frame)) if frame.data_ref().is_some_and(Bytes::is_empty) => continue,
                Some(frame) => First::Frame(frame),
                None => First::End,
            };
        }
        Poll::Ready(())
    }

    /// The body for the service; an empty body if it is known to be empty.
    pub(super) fn into_service(self) -> gatewright_core::Body {
        match self.first {
            First::End => gatewright_core::Body::empty(),
            First::Nothing | First::Frame(_) => gatewright_core::Body::new(self),
        }
    }

    /// The next frame, without a limit of time.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(body) = &mut self.body.stream else { return Poll::Ready(None) };
        if !self.data_over {
            if let Some(data) = ready!(body.poll_data(cx)) {
                return Poll::Ready(Some(data.map_err(Error::from_body).map(|data| self.take(data))));
            }
            self.data_over = true;
        }
        Poll::Ready(match ready!(body.poll_trailers(cx)) {
            Ok(None) => None,
            Ok(Some(mut trailers)) => Some(match checks::check_trailers(&mut trailers, &self.rules) {
                Ok(()) => Ok(Frame::trailers(trailers)),
                Err(violation) => {
                    self.stream.set_body_violation(violation);
                    Err(Error::new(ErrorKind::RequestBody, violation.reason()))
                }
            }),
            Err(error) => Some(Err(Error::from_body(error))),
        })
    }

    fn take(&mut self, data: Bytes) -> Frame<Bytes> {
        if let Some(body) = &mut self.body.stream {
            release(body, &data);
        }
        // h2 has checked the length of the data against `content-length`.
        self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
        Frame::data(data)
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match mem::replace(&mut self.first, First::Nothing) {
            First::Nothing => {}
            First::Frame(frame) => return Poll::Ready(Some(frame)),
            First::End => {
                self.first = First::End;
                return Poll::Ready(None);
            }
        }
        match self.poll_next(cx) {
            Poll::Ready(frame) => {
                self.stream.body_moved();
                Poll::Ready(frame)
            }
            Poll::Pending if self.stream.is_body_expired() => {
                Poll::Ready(Some(Err(Error::new(ErrorKind::RequestBodyTimeout, "slow_body"))))
            }
            Poll::Pending => {
                self.stream.await_body(cx, self.state.activity());
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self.first {
            First::Nothing => self.body.is_end_stream(),
            First::Frame(_) => false,
            First::End => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        let first = match &self.first {
            First::Frame(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len) as u64,
            _ => 0,
        };
        self.left.map(|left| SizeHint::with_exact(left.saturating_add(first))).unwrap_or_default()
    }
}

impl Drop for TimedBody {
    fn drop(&mut self) {
        self.stream.body_awaited.clear();
        if self.stream.is_body_expired() {
            // A client that was too slow gets no more time.
            self.body.stream = None;
        }
        self.state.ended(self.state.streams.body_dropped(self.stream.id()));
    }
}

impl Received {
    fn is_end_stream(&self) -> bool {
        self.stream.as_ref().is_none_or(RecvStream::is_end_stream)
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take().filter(|stream| !stream.is_end_stream())
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(throw_away(stream, Arc::clone(&self.shared)));
        }
    }
}

/// Throws away the rest of a body that nobody reads, within the limits. If the client has not ended the stream by then,
/// the stream is reset with `NO_ERROR` (RFC 9113, section 8.1).
async fn throw_away(mut body: RecvStream, shared: Arc<Shared>) {
    let mut left = shared.limits.max_discarded;
    let throwing = async {
        while let Ok(Some(Ok(data))) = timeout(shared.limits.linger_pause, body.data()).await {
            release(&mut body, &data);
            match left.checked_sub(data.len() as u64) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    tokio::select! {
        _ = timeout(shared.limits.linger_timeout, throwing) => {}
        () = draining_for(&shared.connections) => {}
    }
}

/// Lets the client send as many bytes more.
fn release(body: &mut RecvStream, data: &Bytes) {
    // This fails only after the end of the stream, when the client needs no more room.
    let _ = body.flow_control().release_capacity(data.len());
}
