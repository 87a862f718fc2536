//! Records on their way from the requests to the thread that writes.

use std::{
    mem,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// What the requests and the writer share.
pub(super) struct Queue {
    /// The most bytes that wait, save those that were promised room.
    capacity: usize,
    /// The bytes of the records that are not in the file yet, those that the writer has taken included.
    waiting: AtomicUsize,
    /// The file does not take what is written.
    failing: AtomicBool,
    lost: AtomicU64,
    refused: AtomicU64,
    inner: Mutex<Inner>,
    /// There is something for the writer to do.
    work: Condvar,
    /// The writer has come further.
    moved: Condvar,
}

#[derive(Default)]
struct Inner {
    records: Vec<u8>,
    untold: Untold,
    asked: u64,
    done: u64,
    reopen: bool,
    closing: bool,
    closed: bool,
}

/// What has no record of its own, until the log tells of it.
#[derive(Default, Clone, Copy)]
pub(super) struct Untold {
    /// Records that were lost.
    pub(super) lost: u64,
    /// Requests that were refused since the log could not be written.
    pub(super) refused: u64,
}

/// What the writer is asked to do.
pub(super) struct Work {
    pub(super) asked: u64,
    pub(super) reopen: bool,
    pub(super) closing: bool,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            waiting: AtomicUsize::new(0),
            failing: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            inner: Mutex::default(),
            work: Condvar::new(),
            moved: Condvar::new(),
        }
    }

    /// Whether a request may be admitted whose records must not be lost.
    pub(super) fn has_room(&self) -> bool {
        !self.is_failing() && self.waiting.load(Ordering::Relaxed) < self.capacity
    }

    /// Takes records, each with its newline. `promised` are taken whatever waits already.
    pub(super) fn add(&self, records: &[u8], promised: bool) {
        let mut inner = self.inner();
        let fits =
            promised || self.waiting.load(Ordering::Relaxed).saturating_add(records.len()) <= self.capacity;
        if inner.closed || !fits {
            let count = records.iter().filter(|byte| **byte == b'\n').count() as u64;
            inner.untold.lost += count;
            self.lost.fetch_add(count, Ordering::Relaxed);
            return;
        }
        let was_empty = inner.records.is_empty();
        inner.records.extend_from_slice(records);
        self.waiting.fetch_add(records.len(), Ordering::Relaxed);
        drop(inner);
        if was_empty {
            self.work.notify_one();
        }
    }

    /// Counts a request that was refused since there was no room.
    pub(super) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
        self.inner().untold.refused += 1;
    }

    /// Hands the records to the writer, in the place of an empty buffer.
    pub(super) fn take(&self, records: &mut Vec<u8>) -> Untold {
        let mut inner = self.inner();
        mem::swap(&mut inner.records, records);
        mem::take(&mut inner.untold)
    }

    /// These bytes are in the file.
    pub(super) fn written(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Relaxed);
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Waits until there is something to do, or until `due`. A writer that is `stuck` is not woken by records.
    pub(super) fn wait(&self, due: Option<Instant>, stuck: bool) -> Work {
        let idle = |inner: &mut Inner| {
            let has_records = !inner.records.is_empty() || inner.untold.lost + inner.untold.refused > 0;
            !(inner.closing || inner.reopen || (!stuck && (inner.asked > inner.done || has_records)))
        };
        let inner = self.inner();
        let mut inner = match due.map(|due| due.saturating_duration_since(Instant::now())) {
            Some(limit) => {
                self.work.wait_timeout_while(inner, limit, idle).unwrap_or_else(PoisonError::into_inner).0
            }
            None => self.work.wait_while(inner, idle).unwrap_or_else(PoisonError::into_inner),
        };
        Work { asked: inner.asked, reopen: mem::take(&mut inner.reopen), closing: inner.closing }
    }

    pub(super) fn ask_to_reopen(&self) {
        self.inner().reopen = true;
        self.work.notify_one();
    }

    /// Asks for all records to be written, and for the log to end when `closing`. False when the time runs out.
    pub(super) fn flush(&self, closing: bool, limit: Duration) -> bool {
        let mut inner = self.inner();
        inner.asked += 1;
        inner.closing |= closing;
        let asked = inner.asked;
        self.work.notify_one();
        let unfinished = |inner: &mut Inner| inner.done < asked && !inner.closed;
        let waited = self.moved.wait_timeout_while(inner, limit, unfinished);
        let (inner, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out() && inner.done >= asked
    }

    pub(super) fn done(&self, asked: u64) {
        self.inner().done = asked;
        self.moved.notify_all();
    }

    /// The writer is gone: what it has not written is lost.
    pub(super) fn close(&self, lost: u64) {
        let mut inner = self.inner();
        inner.closed = true;
        let left = inner.records.iter().filter(|byte| **byte == b'\n').count() as u64;
        inner.records = Vec::new();
        self.lost.fetch_add(lost + left, Ordering::Relaxed);
        drop(inner);
        self.moved.notify_all();
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
