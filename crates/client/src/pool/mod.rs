//! The connections to one endpoint.

mod body;
mod builder;
mod cancelled_stream;
mod capture;
mod checkout;
mod connection;
mod connection_permit;
mod driver;
mod http2;
mod multiplexed;
mod reset_budget;
mod response_future;
mod shard;
mod stats;
mod streams;
mod sweeper;
mod transport;
mod upload;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

pub use body::PoolBody;
pub use builder::PoolBuilder;
pub use capture::Taken;
pub use connection::{Connection, Sending};
use gatewright_http1::Rules;
use shard::Shard;
pub use stats::PoolStats;
use tokio::sync::Notify;

use crate::{Target, connect::Connector};

/// The protocol spoken with an endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// The protocol that ALPN settles under TLS; HTTP/1.1 on cleartext.
    #[default]
    Auto,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2; on cleartext by prior knowledge (RFC 9113, section 3.3).
    Http2,
}

/// What a request needs of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Require {
    /// Any protocol that the endpoint speaks.
    Any,
    /// HTTP/1.1, for an upgrade for example. An endpoint that is set to HTTP/2 gives an HTTP/2 connection nevertheless.
    Http1,
}

/// The connections to one endpoint. Clones share them.
pub struct Pool<B> {
    inner: Arc<Inner<B>>,
}

struct Inner<B> {
    connector: Connector,
    protocol: Protocol,
    /// Whether the endpoint has spoken HTTP/2, or is set to it.
    multiplexes: AtomicBool,
    keep_alive: Duration,
    max_connections: usize,
    /// The rules by which responses are read.
    rules: Rules,
    remember_heads: bool,
    open: AtomicUsize,
    /// HTTP/2 connections that serve no new streams.
    retired: AtomicUsize,
    waiting: AtomicUsize,
    /// Requests that have waited for a connection.
    waits: AtomicU64,
    connects: AtomicU64,
    connect_failures: AtomicU64,
    freed: Notify,
    shards: Box<[Shard<B>]>,
}

impl<B> Pool<B> {
    /// The endpoint.
    pub fn target(&self) -> &Target {
        &self.inner.connector.target
    }

    /// Closes the idle connections, and from here on keeps none that falls idle. Requests that are under way end as they
    /// would, on HTTP/2 too. A [`checkout`](Self::checkout) still opens a connection, for one request.
    ///
    /// It is for an endpoint to which no new requests are given.
    pub fn drain(&self) {
        for shard in &self.inner.shards {
            shard.drain();
        }
    }

    /// How many connections are open or being opened.
    pub fn open_connections(&self) -> usize {
        self.inner.open.load(Ordering::Relaxed)
    }
}

impl<B> Clone for Pool<B> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<B> fmt::Debug for Pool<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("target", self.target())
            .field("protocol", &self.inner.protocol)
            .field("open", &self.open_connections())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
