//! A connection taken out of the pool for one request.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use http::{
    HeaderMap, Request, Response, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use hyper::{
    body::Incoming,
    client::conn::{TrySendError, http1, http2},
};
use pin_project_lite::pin_project;

use super::{Inner, PoolBody, SendError, shard::thread_number};

/// Streams on one HTTP/2 connection at most, as we allow our own clients.
const MAX_STREAMS: usize = 100;

/// A connection for one request. It goes back to its pool when the response has been read.
pub struct Connection<B> {
    exchange: Exchange<B>,
    idle_for: Option<Duration>,
}

enum Exchange<B> {
    Http1(http1::SendRequest<B>, Weak<Inner<B>>),
    Http2(Multiplexed<B>),
}

impl<B> Connection<B> {
    pub(super) fn http1(sender: http1::SendRequest<B>, pool: &Arc<Inner<B>>, since: Option<Instant>) -> Self {
        Self {
            exchange: Exchange::Http1(sender, Arc::downgrade(pool)),
            idle_for: since.map(|since| since.elapsed()),
        }
    }

    pub(super) fn http2(connection: Multiplexed<B>) -> Self {
        Self { exchange: Exchange::Http2(connection), idle_for: None }
    }

    /// `HTTP/1.1` or `HTTP/2`. The first wants an origin-form target and a `Host` field, the second an absolute URI.
    pub fn version(&self) -> Version {
        match self.exchange {
            Exchange::Http1(..) => Version::HTTP_11,
            Exchange::Http2(_) => Version::HTTP_2,
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
        match self.exchange {
            Exchange::Http1(mut sender, pool) => {
                let sent = sender.try_send_request(request);
                Sending::Http1 { sent, sender: Some((sender, pool)) }
            }
            Exchange::Http2(mut connection) => {
                let sent = connection.sender.try_send_request(request);
                Sending::Http2 { sent, stream: Some(connection.stream) }
            }
        }
    }
}

pin_project! {
    /// A request on its way, until the response's head is there.
    #[project = SendingProjection]
    enum Sending<F1, F2, B> {
        Http1 { #[pin] sent: F1, sender: Option<(http1::SendRequest<B>, Weak<Inner<B>>)> },
        Http2 { #[pin] sent: F2, stream: Option<StreamPermit> },
    }
}

impl<F1, F2, B> Future for Sending<F1, F2, B>
where
    F1: Future<Output = Result<Response<Incoming>, TrySendError<Request<B>>>>,
    F2: Future<Output = Result<Response<Incoming>, TrySendError<Request<B>>>>,
    B: Send + 'static,
{
    type Output = Result<Response<PoolBody<B>>, SendError<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        const POLLED_AFTER_COMPLETION: &str = "a future is not polled after it has completed";
        Poll::Ready(match self.project() {
            SendingProjection::Http1 { sent, sender } => match ready!(sent.poll(cx)) {
                Ok(response) if has_two_lengths(response.headers()) => Err(SendError::two_lengths()),
                Ok(response) => {
                    let (sender, pool) = sender.take().expect(POLLED_AFTER_COMPLETION);
                    Ok(response.map(|body| PoolBody::http1(body, sender, pool)))
                }
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

/// With both lengths, what follows on the connection may be this response's or the next one's (RFC 9112, section 6.3).
fn has_two_lengths(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH)
}

impl<B> fmt::Debug for Connection<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("version", &self.version())
            .field("idle_for", &self.idle_for)
            .finish()
    }
}

/// Puts an HTTP/1 connection back.
pub(super) fn put_back<B: Send + 'static>(pool: &Weak<Inner<B>>, sender: http1::SendRequest<B>) {
    let Some(pool) = pool.upgrade() else { return };
    if sender.is_closed() {
        return;
    }
    let shard = thread_number() % pool.shards.len();
    if pool.shards[shard].put(sender) {
        sweep_later(&pool, shard);
    }
    if pool.waiting.load(Ordering::Relaxed) > 0 {
        pool.freed.notify_one();
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

/// A sender of an HTTP/2 connection, with a stream reserved on it.
pub(super) struct Multiplexed<B> {
    sender: http2::SendRequest<B>,
    stream: StreamPermit,
}

/// One stream of an HTTP/2 connection, counted until it is dropped.
pub(super) struct StreamPermit(Arc<AtomicUsize>);

impl<B> Multiplexed<B> {
    /// The connection itself; what the pool keeps counts as no stream.
    pub(super) fn new(sender: http2::SendRequest<B>) -> Self {
        Self { sender, stream: StreamPermit(Arc::new(AtomicUsize::new(1))) }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// The same connection with one more stream reserved, if it has room for it.
    pub(super) fn reserve(&self) -> Option<Self> {
        if self.sender.is_closed() {
            return None;
        }
        let streams = &self.stream.0;
        // The pool's own permit is one of the count.
        if streams.fetch_add(1, Ordering::Relaxed) > MAX_STREAMS {
            streams.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self { sender: self.sender.clone(), stream: StreamPermit(Arc::clone(streams)) })
    }
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
