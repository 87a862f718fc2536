//! The streams of one HTTP/2 connection.

use std::sync::{
    Arc, Weak,
    atomic::{AtomicUsize, Ordering},
};

use hyper::client::conn::http2;

use super::Inner;

/// Streams on one HTTP/2 connection at most, as we allow our own clients.
pub(super) const MAX_STREAMS: usize = 100;

/// A sender of an HTTP/2 connection.
pub(super) struct Multiplexed<B> {
    sender: http2::SendRequest<B>,
    streams: Arc<Streams<B>>,
}

/// How many streams a connection has, and may have.
pub(super) struct Streams<B> {
    open: AtomicUsize,
    limit: AtomicUsize,
    pool: Weak<Inner<B>>,
}

/// One stream, counted until it is dropped.
pub(super) struct StreamPermit<B>(Arc<Streams<B>>);

impl<B> Multiplexed<B> {
    pub(super) fn new(sender: http2::SendRequest<B>, pool: Weak<Inner<B>>) -> Self {
        let (open, limit) = (AtomicUsize::new(0), AtomicUsize::new(MAX_STREAMS));
        Self { sender, streams: Arc::new(Streams { open, limit, pool }) }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub(super) fn streams(&self) -> Arc<Streams<B>> {
        Arc::clone(&self.streams)
    }

    /// A sender for one more stream, if the connection has room for it.
    pub(super) fn reserve(&self) -> Option<(http2::SendRequest<B>, StreamPermit<B>)> {
        if self.sender.is_closed() {
            return None;
        }
        let permit = self.streams.reserve()?;
        Some((self.sender.clone(), permit))
    }
}

impl<B> Streams<B> {
    fn reserve(self: &Arc<Self>) -> Option<StreamPermit<B>> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.limit.load(Ordering::Relaxed) {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(StreamPermit(Arc::clone(self)))
    }

    /// Notes how many streams the endpoint allows; beyond that requests go on another connection.
    pub(super) fn allow(&self, streams: usize) {
        let streams = streams.clamp(1, MAX_STREAMS);
        if self.limit.swap(streams, Ordering::Relaxed) < streams {
            self.tell();
        }
    }

    fn tell(&self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.tell_waiting();
        }
    }
}

impl<B> Drop for StreamPermit<B> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
        self.0.tell();
    }
}
