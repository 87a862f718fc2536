//! The graceful drain: the open connections of a worker, and the phase that ends them.
//!
//! Invariants:
//!
//! 1. The phase only moves forward: `Serving`, `Draining`, `Cutting`.
//! 2. Every change of the phase wakes every task that registered with `phase_changed` before it. A task therefore
//!    registers first and reads the phase after that.
//! 3. `open` counts each accepted connection from its accept to the end of its task, however the task ends. A worker
//!    ends when the phase is not `Serving` and `open` is zero.

use std::{
    sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::sync::Notify;

/// How long an idle connection stays open in a drain. A client that is about to send its next request then still gets a
/// response, which says that the connection closes.
pub(crate) const DRAIN_GRACE: Duration = Duration::from_millis(250);

/// The phases of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    /// The worker accepts no new connections; requests in flight go on.
    Draining,
    /// The remaining connections are cut.
    Cutting,
}

/// The connections of one worker.
#[derive(Debug)]
pub(crate) struct Connections {
    phase: AtomicU8,
    /// Notified once for each phase, so that a connection registers again only after it has seen a new phase.
    pub(crate) phase_changed: Notify,
    pub(crate) deadline_changed: Notify,
    open: AtomicUsize,
    upgraded: AtomicUsize,
    cut: AtomicUsize,
    dropped_fields: AtomicU64,
    http1_requests: AtomicU64,
    http2_requests: AtomicU64,
    all_closed: Notify,
}

impl Connections {
    pub(crate) fn new() -> Self {
        Self {
            phase: AtomicU8::new(Phase::Serving as u8),
            phase_changed: Notify::new(),
            deadline_changed: Notify::new(),
            open: AtomicUsize::new(0),
            upgraded: AtomicUsize::new(0),
            cut: AtomicUsize::new(0),
            dropped_fields: AtomicU64::new(0),
            http1_requests: AtomicU64::new(0),
            http2_requests: AtomicU64::new(0),
            all_closed: Notify::new(),
        }
    }

    #[inline]
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Cutting,
        }
    }

    /// Goes on to a later phase, and wakes every connection.
    pub(crate) fn enter(&self, phase: Phase) {
        if self.phase.fetch_max(phase as u8, Ordering::AcqRel) < phase as u8 {
            self.phase_changed.notify_waiters();
        }
    }

    /// Waits until the phase is this one or a later one.
    pub(crate) async fn wait_for(&self, phase: Phase) {
        loop {
            let changed = self.phase_changed.notified();
            if self.phase() >= phase {
                return;
            }
            changed.await;
        }
    }

    pub(crate) fn opened(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn closed(&self) {
        if self.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all_closed.notify_waiters();
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    pub(crate) fn upgraded(&self) -> usize {
        self.upgraded.load(Ordering::Acquire)
    }

    /// Counts an upgraded stream for as long as the guard lives.
    pub(crate) fn upgrade(&self) -> UpgradeGuard<'_> {
        self.upgraded.fetch_add(1, Ordering::AcqRel);
        UpgradeGuard(self)
    }

    /// A connection with work in flight was cut.
    pub(crate) fn count_cut(&self) {
        self.cut.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn cut(&self) -> usize {
        self.cut.load(Ordering::Acquire)
    }

    /// Counts the fields of a request that were dropped because of their names; `first` is the first name.
    pub(crate) fn count_dropped_fields(&self, count: u16, first: &[u8]) {
        self.dropped_fields.fetch_add(u64::from(count), Ordering::Relaxed);
        let first = first.get(..64).unwrap_or(first);
        tracing::debug!(count, first = %first.escape_ascii(), "headers with unusual names are left out (header_names)");
    }

    pub(crate) fn dropped_fields(&self) -> u64 {
        self.dropped_fields.load(Ordering::Relaxed)
    }

    /// Counts a request that goes to the service. A worker is one thread most often, so that no other core writes here.
    #[inline]
    pub(crate) fn count_http1_request(&self) {
        self.http1_requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_http2_request(&self) {
        self.http2_requests.fetch_add(1, Ordering::Relaxed);
    }

    /// The requests so far, over HTTP/1 and over HTTP/2.
    pub(crate) fn requests(&self) -> (u64, u64) {
        (self.http1_requests.load(Ordering::Relaxed), self.http2_requests.load(Ordering::Relaxed))
    }

    /// Waits until no connection is open.
    pub(crate) async fn wait_all_closed(&self) {
        loop {
            let closed = self.all_closed.notified();
            let mut closed = std::pin::pin!(closed);
            closed.as_mut().enable();
            if self.open() == 0 {
                return;
            }
            closed.await;
        }
    }
}

/// Counts one upgraded stream.
#[derive(Debug)]
pub(crate) struct UpgradeGuard<'a>(&'a Connections);

impl Drop for UpgradeGuard<'_> {
    fn drop(&mut self) {
        self.0.upgraded.fetch_sub(1, Ordering::AcqRel);
    }
}
