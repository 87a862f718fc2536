//! Finds a connection for a request, or opens one.

use std::{
    pin::pin,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use gatewright_core::{BoxError, Error, ErrorKind};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::{
    Connection, Inner, Pool, Protocol, Require,
    connection_permit::ConnectionPermit,
    driver,
    shard::{Shard, thread_number},
};
use crate::{connect::Opened, http1};

impl<B> Pool<B>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// A connection that can be used at once, if there is one.
    pub fn ready(&self, require: Require) -> Option<Connection<B>> {
        let pool = &self.inner;
        if let Some(connection) = self.ready_http2(require) {
            return Some(connection);
        }
        let shard = &pool.shards[pool.own_shard()];
        let idle = shard.take(pool.keep_alive).or_else(|| {
            if !steals() {
                return None;
            }
            pool.others(shard).find_map(|other| other.take(pool.keep_alive))
        })?;
        Some(Connection::http1(idle))
    }

    fn ready_http2(&self, require: Require) -> Option<Connection<B>> {
        let pool = &self.inner;
        let wanted = require == Require::Any || pool.protocol == Protocol::Http2;
        if wanted {
            self.inner.shards[self.inner.own_shard()].multiplexed().map(Connection::http2)
        } else {
            None
        }
    }

    /// Finds a connection that is ready, or opens a new one.
    ///
    /// # Errors
    ///
    /// When none can be opened, or none becomes free in time; [`Error::is_connect`] holds.
    pub async fn checkout(&self, require: Require) -> Result<Connection<B>, Error> {
        match self.ready(require) {
            Some(connection) => Ok(connection),
            None => self.open(require).await,
        }
    }

    /// Opens a new connection even if others are idle. It is for a request whose idle connection was closed, since the
    /// endpoint may be closing all of them. An open HTTP/2 connection is taken nevertheless. When the pool has as many
    /// connections as it may have, the next one that becomes free is taken.
    ///
    /// # Errors
    ///
    /// The errors of [`checkout`](Self::checkout).
    pub async fn checkout_new(&self, require: Require) -> Result<Connection<B>, Error> {
        match self.ready_http2(require) {
            Some(connection) => Ok(connection),
            None => self.open(require).await,
        }
    }

    async fn open(&self, require: Require) -> Result<Connection<B>, Error> {
        let pool = &self.inner;
        let shard = pool.own_shard();
        let protocol = match (pool.protocol, require) {
            (Protocol::Auto, Require::Http1) => Protocol::Http1,
            (protocol, _) => protocol,
        };
        let shares = protocol != Protocol::Http1 && pool.multiplexes.load(Ordering::Relaxed);
        // Boxed, so that the futures of requests that find a connection stay small.
        Box::pin(async {
            if !shares {
                return pool.open(shard, protocol).await;
            }
            // One request opens a connection and the others wait for it, since most will fit on it. No request waits
            // longer than it would for a connection of its own.
            let opened = tokio::time::timeout(pool.connector.timeout, async {
                let opening = Arc::clone(&pool.shards[shard].opening).lock_owned().await;
                if let Some(connection) = pool.shards[shard].multiplexed() {
                    return Ok(Connection::http2(connection));
                }
                // In a task, so that the others get the connection even if the client of this request goes away.
                let pool = Arc::clone(pool);
                let opened = tokio::spawn(async move {
                    let _opening = opening;
                    pool.open(shard, protocol).await
                });
                opened.await.unwrap_or_else(|ended| Err(Error::new(ErrorKind::Internal, ended)))
            });
            opened.await.unwrap_or_else(|_| Err(pool.connector.timed_out()))
        })
        .await
    }
}

/// Whether the threads of this runtime share their work. A connection may serve any of them then.
fn steals() -> bool {
    Handle::try_current().is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
}

impl<B> Inner<B> {
    /// The shard of the current thread.
    fn own_shard(&self) -> usize {
        thread_number() % self.shards.len()
    }

    fn others<'a>(&'a self, own: &'a Shard<B>) -> impl Iterator<Item = &'a Shard<B>> + Clone {
        self.shards.iter().filter(move |shard| !std::ptr::eq(*shard, own))
    }

    /// Wakes one of the requests that wait for a connection.
    pub(super) fn tell_waiting(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.freed.notify_one();
        }
    }
}

impl<B> Inner<B>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    async fn open(self: &Arc<Self>, shard: usize, protocol: Protocol) -> Result<Connection<B>, Error> {
        let permit = match ConnectionPermit::reserve(self) {
            Some(permit) => permit,
            None => match tokio::time::timeout(self.connector.timeout, self.turn(&self.shards[shard])).await {
                Ok(Turn::Open(permit)) => permit,
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
        let opening = async {
            match self.connector.open(protocol).await? {
                Opened { stream, http2: true } => {
                    self.multiplexes.store(true, Ordering::Relaxed);
                    driver::start(self, shard, stream, permit).await
                }
                Opened { stream, http2: false } => {
                    let connection = http1::Connection::new(stream, permit);
                    Ok(Connection::http1(connection.reading(self.rules, self.remember_heads)))
                }
            }
        };
        let opened = self.connector.in_time(opening).await;
        let count = if opened.is_ok() { &self.connects } else { &self.connect_failures };
        count.fetch_add(1, Ordering::Relaxed);
        opened
    }

    /// Waits until a connection is put back or one more may be opened.
    async fn turn(self: &Arc<Self>, shard: &Shard<B>) -> Turn<B> {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.waits.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(self);
        loop {
            let mut freed = pin!(self.freed.notified());
            // From here on no notification is missed.
            freed.as_mut().enable();
            if let Some(permit) = ConnectionPermit::reserve(self) {
                return Turn::Open(permit);
            }
            let mut shards = std::iter::once(shard).chain(self.others(shard));
            if let Some(connection) = shards.clone().find_map(Shard::multiplexed) {
                return Turn::Reuse(Connection::http2(connection));
            }
            if let Some(idle) = shards.find_map(|shard| shard.take(self.keep_alive)) {
                return Turn::Reuse(Connection::http1(idle));
            }
            // A connection that was closed on the way has made room.
            if let Some(permit) = ConnectionPermit::reserve(self) {
                return Turn::Open(permit);
            }
            freed.as_mut().await;
        }
    }
}

enum Turn<B> {
    Open(ConnectionPermit<B>),
    Reuse(Connection<B>),
}

/// Counts a request that waits for its turn.
struct Waiting<'a, B>(&'a Inner<B>);

impl<B> Drop for Waiting<'_, B> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use gatewright_core::Body;

    use super::*;
    use crate::PoolBuilder;

    #[test]
    fn threads_that_share_their_work_share_their_connections() {
        assert!(!steals(), "there is no runtime");
        let one = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        assert!(!one.block_on(async { steals() }));
        let many = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("a runtime");
        assert!(many.block_on(async { steals() }));
    }

    #[test]
    fn the_other_shards_are_all_but_ones_own() {
        let pool: Pool<Body> = PoolBuilder::new("127.0.0.1:1".parse().expect("a target")).build();
        let shards = &pool.inner.shards;
        assert!(shards.len() > 1);
        for own in shards {
            let others: Vec<_> = pool.inner.others(own).collect();
            assert_eq!(others.len(), shards.len() - 1);
            assert!(!others.iter().any(|other| std::ptr::eq(*other, own)));
        }
    }
}
