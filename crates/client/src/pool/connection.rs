//! A connection taken out of the pool for one request.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use gatewright_core::{BoxError, InterimResponder};
use http::{Request, Response, Version};
use hyper::client::conn::http2::SendRequest;

use super::{PoolBody, connection_permit::ConnectionPermit, http2, streams::StreamPermit, upload::Upload};
use crate::{SendError, http1};

/// A connection for one request. It goes back to its pool when the response has been read.
pub struct Connection<B> {
    protocol: Protocol<B>,
    reused: bool,
    interim: Option<InterimResponder>,
    stall_timeout: Duration,
}

enum Protocol<B> {
    Http1(Box<http1::Connection<ConnectionPermit<B>>>),
    Http2(SendRequest<Upload<B>>, StreamPermit<B>),
}

impl<B> Connection<B> {
    pub(super) fn http1(connection: Box<http1::Connection<ConnectionPermit<B>>>) -> Self {
        let reused = connection.idle_since().is_some();
        Self {
            protocol: Protocol::Http1(connection),
            reused,
            interim: None,
            stall_timeout: http1::STALL_TIMEOUT,
        }
    }

    pub(super) fn http2((sender, stream): (SendRequest<Upload<B>>, StreamPermit<B>)) -> Self {
        let reused = stream.is_reused();
        Self {
            protocol: Protocol::Http2(sender, stream),
            reused,
            interim: None,
            stall_timeout: http1::STALL_TIMEOUT,
        }
    }

    /// `HTTP/1.1` or `HTTP/2`. HTTP/1.1 needs an origin-form target and a `Host` field, HTTP/2 an absolute URI.
    pub fn version(&self) -> Version {
        match self.protocol {
            Protocol::Http1(_) => Version::HTTP_11,
            Protocol::Http2(..) => Version::HTTP_2,
        }
    }

    /// Whether it has answered a request before. The endpoint may be closing it then.
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// Relays the endpoint's 103 responses (RFC 8297), without the fields of its connection, until the response's head
    /// is there. Over HTTP/2 they are lost.
    #[must_use]
    pub fn relay_interim(mut self, responder: InterimResponder) -> Self {
        self.interim = Some(responder);
        self
    }

    /// How long an HTTP/1 endpoint that has answered may take nothing of the rest of the request and send nothing. Then the
    /// rest is given up, and the connection with it. 60 s unless set.
    #[must_use]
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }
}

impl<B> Connection<B>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Sends the request. The future is ready when the head of the response has come. Over HTTP/1, a 101 response carries
    /// a [`gatewright_core::OnUpgrade`] in its extensions.
    ///
    /// Dropping the future cancels the request: an HTTP/1 connection is closed, an HTTP/2 stream is reset. Resets that come
    /// faster than endpoints tolerate are held back for some seconds. When nobody else uses the connection, it is closed
    /// instead.
    ///
    /// # Errors
    ///
    /// When the connection breaks or the response is not valid HTTP.
    pub fn send(self, request: Request<B>) -> Sending<B> {
        Sending(match self.protocol {
            Protocol::Http1(connection) => {
                let exchange = http1::Exchange::new(connection, request, self.interim);
                InFlight::Http1(exchange.stall_timeout(self.stall_timeout))
            }
            Protocol::Http2(sender, stream) => InFlight::Http2(http2::Exchange::new(sender, stream, request)),
        })
    }
}

/// A request on its way: the future of [`Connection::send`].
pub struct Sending<B: Send + 'static>(InFlight<B>);

#[expect(clippy::large_enum_variant, reason = "the larger one is the usual one")]
enum InFlight<B: Send + 'static> {
    Http1(http1::Exchange<B, ConnectionPermit<B>>),
    Http2(http2::Exchange<B>),
}

impl<B: Send + 'static> Sending<B> {
    /// Ready at `due`, for a caller that does not want to wait longer. Poll it after each poll that found no response. It
    /// costs less than a timer of the caller's own, since it stays set from one request of a connection to the next.
    pub fn poll_due(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        match &mut self.0 {
            InFlight::Http1(exchange) => {
                exchange.timer().map_or(Poll::Pending, |timer| timer.poll(cx, due.into()))
            }
            InFlight::Http2(exchange) => exchange.poll_due(cx, due.into()),
        }
    }
}

impl<B> Future for Sending<B>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<PoolBody<B>>, SendError<B>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(match &mut self.0 {
            InFlight::Http1(sent) => {
                ready!(Pin::new(sent).poll(cx)).map(|response| response.map(PoolBody::http1))
            }
            InFlight::Http2(sent) => ready!(Pin::new(sent).poll(cx)),
        })
    }
}

impl<B: Send + 'static> fmt::Debug for Sending<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").finish_non_exhaustive()
    }
}

impl<B> fmt::Debug for Connection<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("version", &self.version()).field("reused", &self.reused).finish()
    }
}
