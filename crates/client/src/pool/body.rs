use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{Error, ErrorKind};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{connection::Lease, error::classify, streams::StreamPermit};

/// The body of a response. When it has been read to its end, its connection goes back to the pool; when it is
/// dropped before, the connection is closed or the stream is reset.
pub struct PoolBody<B: Send + 'static> {
    body: Incoming,
    exchange: Exchange<B>,
}

enum Exchange<B> {
    Http1(Lease<B>),
    /// Held until the stream ends.
    Http2 {
        _stream: StreamPermit<B>,
    },
    Done,
}

impl<B: Send + 'static> PoolBody<B> {
    pub(super) fn http1(body: Incoming, lease: Lease<B>) -> Self {
        let mut body = Self { body, exchange: Exchange::Http1(lease) };
        body.release_at_end();
        body
    }

    pub(super) fn http2(body: Incoming, stream: StreamPermit<B>) -> Self {
        Self { body, exchange: Exchange::Http2 { _stream: stream } }
    }

    /// Gives the connection up, so that nobody uses it again: what it sent was not to be trusted.
    pub fn discard(mut self) {
        self.exchange = Exchange::Done;
    }

    fn release_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Exchange::Http1(lease) = std::mem::replace(&mut self.exchange, Exchange::Done) {
            lease.end();
        }
    }
}

impl<B: Send + 'static> Body for PoolBody<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                if frame.is_trailers() {
                    self.exchange = match std::mem::replace(&mut self.exchange, Exchange::Done) {
                        // Nothing follows trailers; HTTP/1 still has to see its own end.
                        Exchange::Http2 { .. } => Exchange::Done,
                        other => other,
                    };
                }
                self.release_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                self.exchange = Exchange::Done;
                Poll::Ready(Some(Err(classify(error))))
            }
            // hyper takes a reset that reports no error for the end, also when the endpoint has not ended the stream.
            None if matches!(self.exchange, Exchange::Http2 { .. }) && !self.body.is_end_stream() => {
                self.exchange = Exchange::Done;
                Poll::Ready(Some(Err(Error::new(ErrorKind::Closed, "the stream was reset before its end"))))
            }
            None => {
                self.release();
                Poll::Ready(None)
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

impl<B: Send + 'static> fmt::Debug for PoolBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PoolBody").field(&self.body).finish()
    }
}
