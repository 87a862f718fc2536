//! The one resolver of names.

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::Target;

/// How long the system's answer is believed. The system does not tell the record's own time to live, so it is short.
const FRESH: Duration = Duration::from_secs(5);

/// Names remembered at most.
const CAPACITY: usize = 10_000;

/// Resolves names by the system's resolver, and remembers answers for five seconds. Failures are not remembered.
///
/// Clones share what is remembered.
#[derive(Clone, Default)]
pub struct Resolver {
    known: Arc<Mutex<HashMap<Arc<str>, Answer>>>,
}

struct Answer {
    addresses: Arc<[IpAddr]>,
    since: Instant,
}

impl Resolver {
    /// A resolver that knows no name yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The addresses of a target, at least one.
    ///
    /// # Errors
    ///
    /// When the name does not resolve, or not to a single address.
    pub async fn resolve(&self, target: &Target) -> io::Result<Vec<SocketAddr>> {
        let with_port = |address: &IpAddr| SocketAddr::new(*address, target.port());
        if let Some(address) = target.address() {
            return Ok(vec![with_port(&address)]);
        }
        if let Some(addresses) = self.remembered(target.host()) {
            return Ok(addresses.iter().map(with_port).collect());
        }
        let found: Vec<SocketAddr> = tokio::net::lookup_host((target.host(), target.port())).await?.collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        self.remember(target.host(), found.iter().map(SocketAddr::ip).collect());
        Ok(found)
    }

    fn remembered(&self, host: &str) -> Option<Arc<[IpAddr]>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(host)
            .filter(|answer| answer.since.elapsed() < FRESH)
            .map(|answer| Arc::clone(&answer.addresses))
    }

    fn remember(&self, host: &str, addresses: Arc<[IpAddr]>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.retain(|_, answer| answer.since.elapsed() < FRESH);
        }
        if known.len() < CAPACITY {
            known.insert(host.into(), Answer { addresses, since: Instant::now() });
        }
    }

    /// Forgets a name, so that the next connection asks anew; for when none of its addresses answers.
    pub(crate) fn forget(&self, host: &str) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolver")
    }
}
