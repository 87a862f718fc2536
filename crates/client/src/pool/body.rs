use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{Error, ErrorKind};
use http_body::{Body, Frame, SizeHint};

use super::{place::Place, shard, streams::StreamPermit};
use crate::{http1, send_error::classify};

/// The body of a response. When it has been read to its end, its connection goes back to the pool; when it is
/// dropped before, the connection is closed or the stream is reset.
pub struct PoolBody<B: Send + 'static>(Kind<B>);

enum Kind<B> {
    Http1(http1::Incoming<Place<B>>),
    Http2 {
        body: hyper::body::Incoming,
        /// Held until the stream ends.
        stream: Option<StreamPermit<B>>,
    },
}

impl<B: Send + 'static> PoolBody<B> {
    pub(super) fn http1(mut body: http1::Incoming<Place<B>>) -> Self {
        shard::put_back(&mut body);
        Self(Kind::Http1(body))
    }

    pub(super) fn http2(body: hyper::body::Incoming, stream: StreamPermit<B>) -> Self {
        Self(Kind::Http2 { body, stream: Some(stream) })
    }

    /// Gives the rest of the response up, and the connection with it when it has not been read to its end.
    pub fn discard(self) {}
}

impl<B: Send + 'static> Body for PoolBody<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let (body, stream) = match &mut self.0 {
            Kind::Http1(body) => {
                let polled = Pin::new(&mut *body).poll_frame(cx);
                shard::put_back(body);
                return polled;
            }
            Kind::Http2 { body, stream } => (body, stream),
        };
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                // Nothing follows trailers.
                if frame.is_trailers() {
                    *stream = None;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                *stream = None;
                Poll::Ready(Some(Err(classify(error))))
            }
            // hyper takes a reset that reports no error for the end, also when the endpoint has not ended the stream.
            None if stream.take().is_some() && !body.is_end_stream() => {
                Poll::Ready(Some(Err(Error::new(ErrorKind::Closed, "the stream was reset before its end"))))
            }
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Http1(body) => body.is_end_stream(),
            Kind::Http2 { body, .. } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Http1(body) => body.size_hint(),
            Kind::Http2 { body, .. } => body.size_hint(),
        }
    }
}

impl<B: Send + 'static> fmt::Debug for PoolBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("PoolBody");
        match &self.0 {
            Kind::Http1(body) => tuple.field(body),
            Kind::Http2 { body, .. } => tuple.field(body),
        }
        .finish()
    }
}
