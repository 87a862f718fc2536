//! Finds a connection for a request, or opens one.

use std::{
    pin::pin,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::{BoxError, Error, ErrorKind};
use hyper::{
    client::conn::{http1, http2},
    rt::{Read, Write},
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{
    Connection, Inner, Pool, Protocol, Require,
    connection::Multiplexed,
    shard::{Shard, thread_number},
};
use crate::connect::Stream;

impl<B> Pool<B>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Finds a connection that is ready, or opens one.
    ///
    /// # Errors
    ///
    /// When none can be opened, or none becomes free in time; [`Error::is_connect`] holds.
    pub async fn checkout(&self, require: Require) -> Result<Connection<B>, Error> {
        let pool = &self.inner;
        let wants_http2 = require == Require::Any || pool.protocol == Protocol::Http2;
        let shard = &pool.shards[thread_number() % pool.shards.len()];
        if wants_http2 && let Some(connection) = shard.multiplexed() {
            return Ok(Connection::http2(connection));
        }
        if let Some(idle) = shard.take_ready(pool.keep_alive) {
            return Ok(Connection::http1(idle.sender, pool, Some(idle.since)));
        }
        if steals()
            && let Some(idle) = pool.others(shard).find_map(|other| other.take_ready(pool.keep_alive))
        {
            return Ok(Connection::http1(idle.sender, pool, Some(idle.since)));
        }
        let protocol = match (pool.protocol, require) {
            (Protocol::Auto, Require::Http1) => Protocol::Http1,
            (protocol, _) => protocol,
        };
        if protocol == Protocol::Http2 {
            // One opens, the others wait for it: they will all fit on the one connection.
            let _opening = shard.opening.lock().await;
            if let Some(connection) = shard.multiplexed() {
                return Ok(Connection::http2(connection));
            }
            return Box::pin(pool.open(shard, protocol)).await;
        }
        // Boxed, so that requests that find a connection do not carry the room for opening one.
        Box::pin(pool.open(shard, protocol)).await
    }
}

/// Whether the threads of this runtime share their work, so that a connection may serve any of them.
fn steals() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
}

impl<B> Inner<B> {
    fn others<'a>(&'a self, own: &'a Shard<B>) -> impl Iterator<Item = &'a Shard<B>> {
        self.shards.iter().filter(move |shard| !std::ptr::eq(*shard, own))
    }

    /// Counts a connection that is about to be opened, unless there are as many as there may be.
    fn reserve(self: &Arc<Self>) -> Option<Slot<B>> {
        if self.open.fetch_add(1, Ordering::Relaxed) >= self.max_connections {
            self.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Slot(Arc::downgrade(self)))
    }
}

/// The place of one open connection among those that may be. It does not keep the pool alive: a pool that is
/// dropped closes its connections, also while they are idle.
struct Slot<B>(Weak<Inner<B>>);

impl<B> Drop for Slot<B> {
    fn drop(&mut self) {
        let Some(pool) = self.0.upgrade() else { return };
        pool.open.fetch_sub(1, Ordering::Relaxed);
        if pool.waiting.load(Ordering::Relaxed) > 0 {
            pool.freed.notify_one();
        }
    }
}

impl<B> Inner<B>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn open(self: &Arc<Self>, shard: &Shard<B>, protocol: Protocol) -> Result<Connection<B>, Error> {
        let slot = match self.reserve() {
            Some(slot) => slot,
            None => match tokio::time::timeout(self.connector.timeout, self.turn(shard)).await {
                Ok(Turn::Open(slot)) => slot,
                Ok(Turn::Reuse(connection)) => return Ok(connection),
                Err(_) => {
                    let limit = self.max_connections;
                    return Err(Error::new(
                        ErrorKind::Overloaded,
                        format!("all {limit} connections are in use"),
                    ));
                }
            },
        };
        match self.connector.connect(protocol).await? {
            Stream::Plain(stream) if protocol == Protocol::Http2 => {
                self.start_http2(shard, TokioIo::new(stream), slot).await
            }
            Stream::Plain(stream) => self.start_http1(TokioIo::new(stream), slot).await,
            #[cfg(feature = "tls")]
            Stream::Tls { stream, http2: true } => self.start_http2(shard, TokioIo::new(stream), slot).await,
            #[cfg(feature = "tls")]
            Stream::Tls { stream, http2: false } => self.start_http1(TokioIo::new(stream), slot).await,
        }
    }

    /// Waits until a connection is put back or one more may be opened.
    async fn turn(self: &Arc<Self>, shard: &Shard<B>) -> Turn<B> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(self);
        loop {
            let mut freed = pin!(self.freed.notified());
            // From here on no notification is missed.
            freed.as_mut().enable();
            if let Some(slot) = self.reserve() {
                return Turn::Open(slot);
            }
            let found = std::iter::once(shard)
                .chain(self.others(shard))
                .find_map(|shard| shard.take_any(self.keep_alive));
            if let Some(mut idle) = found {
                if idle.sender.ready().await.is_ok() {
                    return Turn::Reuse(Connection::http1(idle.sender, self, Some(idle.since)));
                }
                continue;
            }
            freed.as_mut().await;
        }
    }

    async fn start_http1<T>(self: &Arc<Self>, io: T, slot: Slot<B>) -> Result<Connection<B>, Error>
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        let (sender, connection) =
            http1::handshake(io).await.map_err(|error| Error::new(ErrorKind::Connect, error))?;
        let connection = connection.with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an upstream connection ended");
            }
            drop(slot);
        });
        Ok(Connection::http1(sender, self, None))
    }

    async fn start_http2<T>(
        self: &Arc<Self>,
        shard: &Shard<B>,
        io: T,
        slot: Slot<B>,
    ) -> Result<Connection<B>, Error>
    where
        T: Read + Write + Unpin + Send + 'static,
    {
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(Duration::from_secs(30))
            .keep_alive_timeout(Duration::from_secs(10))
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20)
            .max_header_list_size(64 << 10)
            .handshake(io)
            .await
            .map_err(|error| Error::new(ErrorKind::Connect, error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "an upstream connection ended");
            }
            drop(slot);
        });
        let connection = Multiplexed::new(sender);
        let reserved = connection.reserve();
        shard.put_multiplexed(connection);
        match reserved {
            Some(reserved) => Ok(Connection::http2(reserved)),
            None => Err(Error::new(ErrorKind::Connect, "the endpoint closed the connection at once")),
        }
    }
}

enum Turn<B> {
    Open(Slot<B>),
    Reuse(Connection<B>),
}

/// Counts a request that waits for its turn.
struct Waiting<'a, B>(&'a Inner<B>);

impl<B> Drop for Waiting<'_, B> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
