//! Control over a running server.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    drain::{Connections, Phase},
    listener::Entry,
};

/// Drains a server and counts its connections, from any thread.
#[derive(Clone)]
pub struct ServerHandle(Arc<Inner>);

struct Inner {
    workers: Vec<Arc<Connections>>,
    entries: Vec<Arc<Entry>>,
    deadline: Mutex<Option<Instant>>,
}

impl ServerHandle {
    pub(crate) fn new(workers: Vec<Arc<Connections>>, entries: Vec<Arc<Entry>>) -> Self {
        Self(Arc::new(Inner { workers, entries, deadline: Mutex::new(None) }))
    }

    /// Begins a graceful drain. The server accepts no new connections and closes idle ones. Requests in flight and upgraded
    /// streams go on until `deadline` has passed, and are then cut. The call returns at once; `serve` returns when all
    /// connections are closed. A later call can only bring the deadline forward.
    pub fn drain(&self, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        let mut earliest = self.0.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        *earliest = Some(earliest.map_or(deadline, |earliest| earliest.min(deadline)));
        drop(earliest);
        for worker in &self.0.workers {
            worker.enter(Phase::Draining);
            // The workers that wait for the old deadline look at the new one.
            worker.deadline_changed.notify_waiters();
        }
    }

    /// Whether the server is being drained.
    pub fn is_draining(&self) -> bool {
        self.0.workers.iter().any(|worker| worker.phase() != Phase::Serving)
    }

    /// The number of open connections, upgraded ones included.
    pub fn connections(&self) -> usize {
        self.0.workers.iter().map(|worker| worker.open()).sum()
    }

    /// The number of open connections that have been upgraded.
    pub fn upgraded(&self) -> usize {
        self.0.workers.iter().map(|worker| worker.upgraded()).sum()
    }

    /// The listeners' names, each with the number of its open connections.
    pub fn connections_by_listener(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.entries.iter().map(|entry| (&**entry.name(), entry.open()))
    }

    /// The listeners' names, each with the number of connections that it has accepted so far.
    pub fn accepted_by_listener(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.entries.iter().map(|entry| (&**entry.name(), entry.accepted()))
    }

    /// The requests that have gone to the service so far, over HTTP/1 and over HTTP/2.
    pub fn requests_by_version(&self) -> (u64, u64) {
        let requests = self.0.workers.iter().map(|worker| worker.requests());
        requests.fold((0, 0), |(one, two), (more_one, more_two)| (one + more_one, two + more_two))
    }

    /// The TLS handshakes that have succeeded so far: the listener's name, the version (`TLSv1.3`), whether a session was
    /// resumed, and their number.
    #[cfg(feature = "tls")]
    pub fn handshakes(&self) -> impl Iterator<Item = (&str, &'static str, bool, u64)> {
        self.0.entries.iter().flat_map(|entry| {
            let counts = entry.handshakes().counts();
            counts.map(|(version, resumed, count)| (&**entry.name(), version, resumed, count))
        })
    }

    /// The number of header fields that were dropped because of [their names](crate::Names::Drop).
    pub fn dropped_fields(&self) -> u64 {
        self.0.workers.iter().map(|worker| worker.dropped_fields()).sum()
    }

    /// The failed TLS handshakes: the listener's name, a short stable word for the reason (`no_certificate`,
    /// `revocation_list_expired`, `plain_http`, …), and their number. The log has the first failure of each kind, and then
    /// at most one a minute.
    #[cfg(feature = "tls")]
    pub fn failed_handshakes(&self) -> impl Iterator<Item = (&str, &'static str, u64)> {
        self.0
            .entries
            .iter()
            .flat_map(|entry| entry.failures().counts().map(|(reason, count)| (&**entry.name(), reason, count)))
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        *self.0.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").field("connections", &self.connections()).finish_non_exhaustive()
    }
}
