//! Builds a pool.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize},
    },
    time::Duration,
};

use gatewright_http1::Rules;
use tokio::sync::Notify;

use super::{Inner, Pool, Protocol, Shard};
#[cfg(feature = "tls")]
use crate::ClientTls;
use crate::{Resolver, Target, connect::Connector};

/// Builds a [`Pool`].
#[derive(Debug, Clone)]
pub struct PoolBuilder {
    target: Target,
    protocol: Protocol,
    #[cfg(feature = "tls")]
    tls: Option<ClientTls>,
    resolver: Resolver,
    connect_timeout: Duration,
    keep_alive: Duration,
    max_connections: usize,
    rules: Rules,
    remember_heads: bool,
}

impl PoolBuilder {
    /// Starts a pool of connections to this endpoint.
    pub fn new(target: Target) -> Self {
        Self {
            target,
            protocol: Protocol::Auto,
            #[cfg(feature = "tls")]
            tls: None,
            resolver: Resolver::new(),
            connect_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(4),
            max_connections: usize::MAX,
            rules: Rules::for_responses(),
            remember_heads: true,
        }
    }

    /// The protocol to speak.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Speaks TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Shares a resolver with other pools.
    #[must_use]
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    /// How long resolving, connecting, the TLS handshake and the wait for an HTTP/2 endpoint's SETTINGS may take together.
    /// A request waits as long for a connection when all are in use. 5 s unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an idle connection is kept. 4 s unless set. The servers that close soonest close after 5 s, and a request
    /// that meets the endpoint's close may be lost.
    #[must_use]
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// How many connections may be open at once. Further requests wait their turn. Without a bound unless set.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections.max(1);
        self
    }

    /// The size of a response's head in bytes. HTTP/1 counts the bytes that come, HTTP/2 the names and values. A larger head
    /// is an error of the kind [`Protocol`](gatewright_core::ErrorKind::Protocol). 64 KiB unless set.
    #[must_use]
    pub fn max_head(mut self, bytes: usize) -> Self {
        self.rules.max_head = bytes;
        self
    }

    /// The number of field lines in a response's head. More lines are an error of the kind
    /// [`Protocol`](gatewright_core::ErrorKind::Protocol). 256 unless set.
    #[must_use]
    pub fn max_headers(mut self, lines: u16) -> Self {
        self.rules.max_fields = lines;
        self
    }

    /// Whether the head of a response over HTTP/1 is compared with earlier heads on its connection, and parsed only where it
    /// differs in its framing. On unless set. It changes the cost of a response and nothing else.
    #[must_use]
    pub fn remember_heads(mut self, remember: bool) -> Self {
        self.remember_heads = remember;
        self
    }

    /// The pool.
    pub fn build<B>(self) -> Pool<B> {
        Pool {
            inner: Arc::new(Inner {
                connector: Connector {
                    target: self.target,
                    resolver: self.resolver,
                    timeout: self.connect_timeout,
                    #[cfg(feature = "tls")]
                    tls: self.tls,
                    turn: AtomicUsize::new(0),
                },
                protocol: self.protocol,
                multiplexes: AtomicBool::new(self.protocol == Protocol::Http2),
                keep_alive: self.keep_alive,
                max_connections: self.max_connections,
                rules: self.rules,
                remember_heads: self.remember_heads,
                open: AtomicUsize::new(0),
                retired: AtomicUsize::new(0),
                waiting: AtomicUsize::new(0),
                waits: AtomicU64::new(0),
                connects: AtomicU64::new(0),
                connect_failures: AtomicU64::new(0),
                freed: Notify::new(),
                shards: Shard::one_a_thread(),
            }),
        }
    }
}
