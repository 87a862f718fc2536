//! A connection taken out of the pool for one request.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use http::{
    Request, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use pin_project_lite::pin_project;

use super::{
    Inner, PoolBody, SendError,
    sent::{Sent, Whole},
    shard::thread_number,
    streams::StreamPermit,
};

/// A connection for one request. It goes back to its pool when the response has been read.
pub struct Connection<B> {
    exchange: Exchange<B>,
    idle_for: Option<Duration>,
}

enum Exchange<B> {
    Http1(http1::SendRequest<Sent<B>>, Weak<Inner<B>>),
    Http2(http2::SendRequest<Sent<B>>, StreamPermit<B>),
}

impl<B> Connection<B> {
    pub(super) fn http1(
        sender: http1::SendRequest<Sent<B>>,
        pool: &Arc<Inner<B>>,
        since: Option<Instant>,
    ) -> Self {
        Self {
            exchange: Exchange::Http1(sender, Arc::downgrade(pool)),
            idle_for: since.map(|since| since.elapsed()),
        }
    }

    pub(super) fn http2((sender, stream): (http2::SendRequest<Sent<B>>, StreamPermit<B>)) -> Self {
        Self { exchange: Exchange::Http2(sender, stream), idle_for: None }
    }

    /// `HTTP/1.1` or `HTTP/2`. The first wants an origin-form target and a `Host` field, the second an absolute URI.
    pub fn version(&self) -> Version {
        match self.exchange {
            Exchange::Http1(..) => Version::HTTP_11,
            Exchange::Http2(..) => Version::HTTP_2,
        }
    }

    /// How long an HTTP/1 connection lay idle before; `None` for a new one and for HTTP/2. The longer, the likelier
    /// is it that the endpoint is about to close it.
    pub fn idle_for(&self) -> Option<Duration> {
        self.idle_for
    }
}

impl<B> Connection<B>
where
    B: http_body::Body + Unpin + Send + 'static,
{
    /// Sends the request. The response is there when its head is.
    ///
    /// Dropping the future cancels the request: an HTTP/1 connection is closed, an HTTP/2 stream is reset.
    ///
    /// # Errors
    ///
    /// When the connection breaks or the response is no valid HTTP.
    // No async function: that would carry the request along, which leaves at once.
    pub fn send(
        self,
        request: Request<B>,
    ) -> impl Future<Output = Result<Response<PoolBody<B>>, SendError<B>>> + Send {
        let request = request.map(Sent::new);
        match self.exchange {
            Exchange::Http1(mut sender, pool) => {
                let whole = request.body().whole();
                let sent = sender.try_send_request(request);
                Sending::Http1 { sent, lease: Some(Lease { sender, pool, whole }) }
            }
            Exchange::Http2(mut sender, stream) => {
                let sent = sender.try_send_request(request);
                Sending::Http2 { sent, stream: Some(stream) }
            }
        }
    }
}

pin_project! {
    /// A request on its way, until the response's head is there.
    #[project = SendingProjection]
    enum Sending<F1, F2, B> {
        Http1 { #[pin] sent: F1, lease: Option<Lease<B>> },
        Http2 { #[pin] sent: F2, stream: Option<StreamPermit<B>> },
    }
}

impl<F1, F2, B> Future for Sending<F1, F2, B>
where
    F1: Future<Output = Result<Response<Incoming>, TrySendError<Request<Sent<B>>>>>,
    F2: Future<Output = Result<Response<Incoming>, TrySendError<Request<Sent<B>>>>>,
    B: Send + 'static,
{
    type Output = Result<Response<PoolBody<B>>, SendError<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const POLLED_AFTER_COMPLETION: &str = "a future is not polled after it has completed";
        Poll::Ready(match self.project() {
            SendingProjection::Http1 { sent, lease } => match ready!(sent.poll(cx)) {
                Ok(response) => match unsound(&response) {
                    None => {
                        let lease = lease.take().expect(POLLED_AFTER_COMPLETION);
                        Ok(response.map(|body| PoolBody::http1(body, lease)))
                    }
                    Some(why) => Err(SendError::unsound(why)),
                },
                Err(error) => Err(SendError::of(error)),
            },
            SendingProjection::Http2 { sent, stream } => match ready!(sent.poll(cx)) {
                Ok(response) => {
                    let stream = stream.take().expect(POLLED_AFTER_COMPLETION);
                    Ok(response.map(|body| PoolBody::http2(body, stream)))
                }
                Err(error) => Err(SendError::of(error)),
            },
        })
    }
}

/// Why an HTTP/1 response cannot be trusted to end where it seems to.
fn unsound<B>(response: &Response<B>) -> Option<&'static str> {
    let mut codings = response.headers().get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        // What follows may be this response's or the next one's (RFC 9112, section 6.3).
        if response.headers().contains_key(CONTENT_LENGTH) {
            return Some("the response has both Content-Length and Transfer-Encoding");
        }
        // We ask for no other coding, so that none may come (RFC 9112, section 6.1).
        if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
            return Some("the response's Transfer-Encoding is not chunked");
        }
    }
    if response.version() < Version::HTTP_11 && response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Some("HTTP/1.0 knows no 101");
    }
    None
}

/// An HTTP/1 connection while its response is read.
pub(super) struct Lease<B> {
    sender: http1::SendRequest<Sent<B>>,
    pool: Weak<Inner<B>>,
    whole: Whole,
}

impl<B> fmt::Debug for Connection<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("version", &self.version())
            .field("idle_for", &self.idle_for)
            .finish()
    }
}

impl<B: Send + 'static> Lease<B> {
    /// Puts the connection back, when nothing of this exchange is left on it.
    pub(super) fn end(self) {
        // An endpoint that answers before it has read the request may take the rest of it for the next one.
        if self.sender.is_closed() || !self.whole.is_sent() {
            return;
        }
        let Some(pool) = self.pool.upgrade() else { return };
        let shard = thread_number() % pool.shards.len();
        if pool.shards[shard].put(self.sender) {
            sweep_later(&pool, shard);
        }
        pool.tell_waiting();
    }
}

/// Closes the shard's idle connections in time, by a task that lives while there are any.
fn sweep_later<B: Send + 'static>(pool: &Arc<Inner<B>>, shard: usize) {
    struct Sweeper<B>(Weak<Inner<B>>, usize);

    impl<B> Drop for Sweeper<B> {
        fn drop(&mut self) {
            if let Some(pool) = self.0.upgrade() {
                pool.shards[self.1].unswept();
            }
        }
    }

    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        pool.shards[shard].unswept();
        return;
    };
    let keep_alive = pool.keep_alive;
    let sweeper = Sweeper(Arc::downgrade(pool), shard);
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(keep_alive.min(Duration::from_secs(1))).await;
            match sweeper.0.upgrade() {
                Some(pool) if pool.shards[sweeper.1].sweep(keep_alive) => {}
                // Nothing is left, so the next connection that is put back starts a sweeper of its own.
                _ => break std::mem::forget(sweeper),
            }
        }
    });
}
