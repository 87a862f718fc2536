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

    /// Begins to end well: no new connections are accepted, idle ones are closed, requests in flight and upgraded
    /// streams go on until `deadline` has passed, and are cut then. It returns at once; `serve` returns when all is
    /// over. A later call may only bring the deadline forward.
    pub fn drain(&self, deadline: Duration) {
        let deadline = Instant::now() + deadline;
        let mut earliest = self.0.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        *earliest = Some(earliest.map_or(deadline, |earliest| earliest.min(deadline)));
        drop(earliest);
        for worker in &self.0.workers {
            worker.enter(Phase::Draining);
            // Whoever waits for the old deadline looks at the new one.
            worker.deadline_changed.notify_waiters();
        }
    }

    /// Whether it is being drained.
    pub fn is_draining(&self) -> bool {
        self.0.workers.iter().any(|worker| worker.phase() != Phase::Serving)
    }

    /// The connections that are open, upgraded ones too.
    pub fn connections(&self) -> usize {
        self.0.workers.iter().map(|worker| worker.open()).sum()
    }

    /// The connections that have been upgraded.
    pub fn upgraded(&self) -> usize {
        self.0.workers.iter().map(|worker| worker.upgraded()).sum()
    }

    /// The listeners' names, each with the number of its open connections.
    pub fn connections_by_listener(&self) -> impl Iterator<Item = (&str, usize)> {
        self.0.entries.iter().map(|entry| (&**entry.name(), entry.open()))
    }

    /// The fields that were left out of requests for [their names](crate::Names::Drop).
    pub fn dropped_fields(&self) -> u64 {
        self.0.workers.iter().map(|worker| worker.dropped_fields()).sum()
    }

    /// The TLS handshakes that failed: the listener's name, a short stable word for what was wrong (`no_certificate`,
    /// `revocation_list_expired`, `plain_http`, …), and how many of them there were. The log tells the first of a kind, and
    /// then one a minute at most.
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
