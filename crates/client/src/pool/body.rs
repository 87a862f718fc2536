use std::{
    fmt,
    pin::Pin,
    sync::Weak,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::Error;
use http_body::{Body, Frame, SizeHint};
use hyper::{body::Incoming, client::conn::http1};

use super::{
    Inner,
    connection::{StreamPermit, put_back},
    error::classify,
};

/// The body of a response. When it has been read to its end, its connection goes back to the pool; when it is
/// dropped before, the connection is closed or the stream is reset.
pub struct PoolBody<B: Send + 'static> {
    body: Incoming,
    exchange: Exchange<B>,
}

enum Exchange<B> {
    Http1(http1::SendRequest<B>, Weak<Inner<B>>),
    Http2(#[allow(dead_code, reason = "held until the stream ends")] StreamPermit),
    Done,
}

impl<B: Send + 'static> PoolBody<B> {
    pub(super) fn http1(body: Incoming, sender: http1::SendRequest<B>, pool: Weak<Inner<B>>) -> Self {
        let mut body = Self { body, exchange: Exchange::Http1(sender, pool) };
        body.release_at_end();
        body
    }

    pub(super) fn http2(body: Incoming, stream: StreamPermit) -> Self {
        Self { body, exchange: Exchange::Http2(stream) }
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
        if let Exchange::Http1(sender, pool) = std::mem::replace(&mut self.exchange, Exchange::Done) {
            put_back(&pool, sender);
        }
    }
}

impl<B: Send + 'static> Body for PoolBody<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                self.release_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                self.exchange = Exchange::Done;
                Poll::Ready(Some(Err(classify(error))))
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
