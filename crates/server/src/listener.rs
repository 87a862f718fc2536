//! One address to listen on.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use gatewright_core::IpNetwork;

#[cfg(feature = "tls")]
use crate::{
    counts::Handshakes,
    tls::{Failures, TlsConfig},
};

/// An address to listen on, and the protocols to speak there.
///
/// A listener is cleartext unless TLS is set. It speaks HTTP/1 or HTTP/2: with TLS, ALPN decides; otherwise the first bytes
/// of the client do.
#[derive(Debug, Clone)]
pub struct Listener {
    pub(crate) address: SocketAddr,
    name: Arc<str>,
    proxies: Vec<IpNetwork>,
    #[cfg(feature = "tls")]
    tls: Option<TlsConfig>,
}

impl Listener {
    /// Listens on this address. Port 0 takes any free port.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            name: address.to_string().into(),
            proxies: Vec::new(),
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Sets the name for logs and metrics. The default is the address.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Turns TLS on.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, tls: TlsConfig) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Requires a PROXY header, version 1 or 2, from peers in these networks. A header from any other peer is refused as
    /// malformed HTTP.
    #[must_use]
    pub fn proxy_protocol(mut self, from: impl IntoIterator<Item = IpNetwork>) -> Self {
        self.proxies = from.into_iter().collect();
        self
    }
}

/// A listener with its counters, shared by all workers.
#[derive(Debug)]
pub(crate) struct Entry {
    listener: Listener,
    open: AtomicUsize,
    accepted: AtomicU64,
    #[cfg(feature = "tls")]
    failures: Failures,
    #[cfg(feature = "tls")]
    handshakes: Handshakes,
}

impl Entry {
    pub(crate) fn new(listener: Listener) -> Self {
        Self {
            listener,
            open: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            #[cfg(feature = "tls")]
            failures: Failures::default(),
            #[cfg(feature = "tls")]
            handshakes: Handshakes::default(),
        }
    }

    pub(crate) fn name(&self) -> &Arc<str> {
        &self.listener.name
    }

    pub(crate) fn expects_proxy_header(&self, peer: IpAddr) -> bool {
        self.listener.proxies.iter().any(|network| network.contains(peer))
    }

    #[cfg(feature = "tls")]
    pub(crate) fn tls(&self) -> Option<&TlsConfig> {
        self.listener.tls.as_ref()
    }

    #[cfg(feature = "tls")]
    pub(crate) fn failures(&self) -> &Failures {
        &self.failures
    }

    #[cfg(feature = "tls")]
    pub(crate) fn handshakes(&self) -> &Handshakes {
        &self.handshakes
    }

    /// The connections that have been accepted so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Counts a connection until the guard is dropped.
    pub(crate) fn count(self: &Arc<Self>) -> EntryGuard {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.accepted.fetch_add(1, Ordering::Relaxed);
        EntryGuard(Arc::clone(self))
    }
}

/// Counts one connection of a listener.
#[derive(Debug)]
pub(crate) struct EntryGuard(Arc<Entry>);

impl Drop for EntryGuard {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
