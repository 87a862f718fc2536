//! The body of a response.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{Error, ErrorKind};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{
    cancelled_stream::CancelledStream, connection_permit::ConnectionPermit, shard, streams::StreamPermit,
    upload::UploadHandle,
};
use crate::{http1, send_error::classify};

/// The body of a response. When it has been read to its end, its connection goes back to the pool. When it is dropped
/// before its end, the connection is closed or the stream is reset.
pub struct PoolBody<B: Send + 'static>(Kind<B>);

enum Kind<B: Send + 'static> {
    Http1(http1::Incoming<ConnectionPermit<B>>),
    Http2(Stream<B>),
}

/// The response of an HTTP/2 stream.
struct Stream<B: Send + 'static> {
    /// `None` from the end on.
    open: Option<(Incoming, StreamPermit<B>)>,
    /// The body of the request, which may still be on its way.
    upload: Option<UploadHandle<B>>,
}

impl<B: Send + 'static> PoolBody<B> {
    pub(super) fn http1(mut body: http1::Incoming<ConnectionPermit<B>>) -> Self {
        shard::put_back(&mut body);
        Self(Kind::Http1(body))
    }

    pub(super) fn http2(body: Incoming, permit: StreamPermit<B>, upload: Option<UploadHandle<B>>) -> Self {
        Self(Kind::Http2(Stream { open: Some((body, permit)), upload }))
    }

    /// Gives up the rest of the response. A connection whose response has not been read to its end is closed.
    pub fn discard(self) {}
}

impl<B: Send + 'static> Body for PoolBody<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.0 {
            Kind::Http1(body) => {
                let polled = Pin::new(&mut *body).poll_frame(cx);
                shard::put_back(body);
                polled
            }
            Kind::Http2(stream) => stream.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Http1(body) => body.is_end_stream(),
            Kind::Http2(stream) => stream.open.as_ref().is_none_or(|(body, _)| body.is_end_stream()),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Http1(body) => body.size_hint(),
            Kind::Http2(stream) => {
                stream.open.as_ref().map_or_else(|| SizeHint::with_exact(0), |(body, _)| body.size_hint())
            }
        }
    }
}

impl<B: Send + 'static> Stream<B> {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(upload) = &self.upload
            && let Poll::Ready(error) = upload.poll_failure(cx)
        {
            self.give_up();
            return Poll::Ready(Some(Err(error)));
        }
        let Some((body, _)) = &mut self.open else { return Poll::Ready(None) };
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) => {
                // Nothing follows trailers.
                if frame.is_trailers() {
                    self.end();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                self.open = None;
                Poll::Ready(Some(Err(classify(error))))
            }
            // hyper takes a reset without an error for the end, even when the endpoint has not ended the stream.
            None if !body.is_end_stream() => {
                self.open = None;
                Poll::Ready(Some(Err(Error::new(ErrorKind::Closed, "the stream was reset before its end"))))
            }
            None => {
                self.end();
                Poll::Ready(None)
            }
        }
    }

    /// Notes that the response is whole. A request that is still on its way goes on.
    fn end(&mut self) {
        let Some((_, permit)) = self.open.take() else { return };
        permit.note_ended();
        if let Some(upload) = self.upload.take() {
            upload.detach(permit);
        }
    }

    fn give_up(&mut self) {
        let Some((body, permit)) = self.open.take() else { return };
        let whole = body.size_hint().exact() == Some(0);
        let given_up = CancelledStream::answered(body, self.upload.take());
        if whole { given_up.let_end(permit) } else { given_up.release(permit) }
    }
}

impl<B: Send + 'static> Drop for Stream<B> {
    fn drop(&mut self) {
        if self.open.as_ref().is_some_and(|(body, _)| body.is_end_stream()) {
            self.end();
        } else {
            self.give_up();
        }
    }
}

impl<B: Send + 'static> fmt::Debug for PoolBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple("PoolBody");
        match &self.0 {
            Kind::Http1(body) => tuple.field(body),
            Kind::Http2(stream) => tuple.field(&stream.open.as_ref().map(|(body, _)| body)),
        }
        .finish()
    }
}
