//! The queue between the requests and the thread that sends.

use std::{
    collections::VecDeque,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::trace::v1::Span;
use tokio::sync::Notify;

/// What the handles share with the thread that sends.
pub(super) struct Shared {
    spans: Mutex<VecDeque<Span>>,
    capacity: usize,
    batch: usize,
    pub(super) wake: Notify,
    pub(super) exported: AtomicU64,
    pub(super) dropped: AtomicU64,
    progress: Mutex<Progress>,
    moved: Condvar,
}

#[derive(Default)]
struct Progress {
    /// Flushes that were asked for, and those that are done.
    asked: u64,
    done: u64,
    /// The last flush that left something unsent.
    failed: u64,
    closing: bool,
    /// The thread has ended.
    closed: bool,
}

/// What the thread is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Orders {
    /// Send all there is, up to this flush.
    pub(super) flush: Option<u64>,
    /// End when that is done.
    pub(super) close: bool,
}

impl Shared {
    pub(super) fn new(capacity: usize, batch: usize) -> Self {
        Self {
            spans: Mutex::default(),
            capacity,
            batch,
            wake: Notify::new(),
            exported: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            progress: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    /// Adds the spans of one request, those for which there is room. The spans that come first matter most.
    pub(super) fn push(&self, spans: Vec<Span>) {
        let count = spans.len();
        let mut queue = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.capacity.saturating_sub(queue.len());
        let before = queue.len();
        queue.extend(spans.into_iter().take(room));
        let after = queue.len();
        drop(queue);
        if count > room {
            self.drop_spans(count - room);
        }
        if before < self.batch && after >= self.batch {
            self.wake.notify_one();
        }
    }

    /// Takes the oldest spans, a batch at most.
    pub(super) fn take(&self) -> Vec<Span> {
        let mut queue = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queue.len().min(self.batch);
        queue.drain(..count).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there is enough for a batch.
    pub(super) fn has_batch(&self) -> bool {
        self.len() >= self.batch
    }

    pub(super) fn drop_spans(&self, count: usize) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for all spans to be sent and waits for that. Whether they were.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        let mut progress = self.progress();
        progress.asked += 1;
        let mine = progress.asked;
        self.wake.notify_one();
        while progress.done < mine && !progress.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            progress = self.moved.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        progress.done >= mine && progress.failed < mine
    }

    pub(super) fn close(&self) {
        self.progress().closing = true;
        self.wake.notify_one();
    }

    pub(super) fn orders(&self) -> Orders {
        let progress = self.progress();
        let flush = (progress.asked > progress.done).then_some(progress.asked);
        Orders { flush, close: progress.closing }
    }

    /// Flushes up to this one are done. Whether all was sent.
    pub(super) fn flushed(&self, flush: u64, whole: bool) {
        let mut progress = self.progress();
        progress.done = progress.done.max(flush);
        if !whole {
            progress.failed = progress.failed.max(flush);
        }
        drop(progress);
        self.moved.notify_all();
    }

    /// The thread has ended; nobody is to wait for it.
    pub(super) fn ended(&self) {
        self.progress().closed = true;
        self.moved.notify_all();
    }
}
