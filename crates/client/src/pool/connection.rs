//! A connection taken out of the pool for one request.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::{BoxError, InterimResponder};
use http::{Request, Response, Version};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http2},
};
use pin_project_lite::pin_project;

use super::{PoolBody, place::Place, shard::Idle, streams::StreamPermit};
use crate::{SendError, http1};

/// A connection for one request. It goes back to its pool when the response has been read.
pub struct Connection<B> {
    protocol: Protocol<B>,
    idle_for: Option<Duration>,
    interim: Option<InterimResponder>,
}

enum Protocol<B> {
    Http1(Box<http1::Connection<Place<B>>>),
    Http2(http2::SendRequest<B>, StreamPermit<B>),
}

impl<B> Connection<B> {
    pub(super) fn http1(connection: Box<http1::Connection<Place<B>>>) -> Self {
        Self { protocol: Protocol::Http1(connection), idle_for: None, interim: None }
    }

    pub(super) fn idle(idle: Idle<B>) -> Self {
        let Idle { connection, idle_for } = idle;
        Self { idle_for: Some(idle_for), ..Self::http1(connection) }
    }

    pub(super) fn http2((sender, stream): (http2::SendRequest<B>, StreamPermit<B>)) -> Self {
        Self { protocol: Protocol::Http2(sender, stream), idle_for: None, interim: None }
    }

    /// `HTTP/1.1` or `HTTP/2`. The first wants an origin-form target and a `Host` field, the second an absolute URI.
    pub fn version(&self) -> Version {
        match self.protocol {
            Protocol::Http1(_) => Version::HTTP_11,
            Protocol::Http2(..) => Version::HTTP_2,
        }
    }

    /// How long an HTTP/1 connection lay idle before; `None` for a new one and for HTTP/2. The longer, the likelier
    /// is it that the endpoint is about to close it.
    pub fn idle_for(&self) -> Option<Duration> {
        self.idle_for
    }

    /// Relays the endpoint's 103 responses (RFC 8297), without the fields of its connection, until the response's head
    /// is there. Over HTTP/2 they are lost.
    #[must_use]
    pub fn relay_interim(mut self, responder: InterimResponder) -> Self {
        self.interim = Some(responder);
        self
    }
}

impl<B> Connection<B>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Sends the request. The response is there when its head is. Over HTTP/1, a 101 response carries a
    /// [`gatewright_core::OnUpgrade`] in its extensions.
    ///
    /// Dropping the future cancels the request: an HTTP/1 connection is closed, an HTTP/2 stream is reset.
    ///
    /// # Errors
    ///
    /// When the connection breaks or the response is no valid HTTP.
    // No async function: that would carry the request along.
    pub fn send(
        self,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<PoolBody<B>>, SendError<B>>> + Send {
        match self.protocol {
            Protocol::Http1(connection) => {
                Sending::Http1 { sent: http1::Exchange::new(connection, request, self.interim) }
            }
            Protocol::Http2(mut sender, stream) => {
                let sent = sender.try_send_request(request);
                Sending::Http2 { sent, stream: Some(stream) }
            }
        }
    }
}

pin_project! {
    /// A request on its way, until the response's head is there.
    #[project = SendingProjection]
    enum Sending<F, B> {
        Http1 { sent: http1::Exchange<B, Place<B>> },
        Http2 { #[pin] sent: F, stream: Option<StreamPermit<B>> },
    }
}

impl<F, B> Future for Sending<F, B>
where
    F: Future<Output = Result<Response<Incoming>, TrySendError<Request<B>>>>,
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<PoolBody<B>>, SendError<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match self.project() {
            SendingProjection::Http1 { sent } => {
                ready!(Pin::new(sent).poll(cx)).map(|response| response.map(PoolBody::http1))
            }
            SendingProjection::Http2 { sent, stream } => match ready!(sent.poll(cx)) {
                Ok(response) => {
                    let stream = stream.take().expect("a future is not polled after it has completed");
                    Ok(response.map(|body| PoolBody::http2(body, stream)))
                }
                Err(error) => Err(SendError::of_http2(error)),
            },
        })
    }
}

impl<B> fmt::Debug for Connection<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("version", &self.version())
            .field("idle_for", &self.idle_for)
            .finish()
    }
}
