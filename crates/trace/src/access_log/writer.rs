//! The thread that carries lines from the buffers to the target.

use std::{
    io,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    buffers::Buffers,
    target::Target,
    trouble::{LogTrouble, Report},
};

/// How long lines are gathered before they are written.
const INTERVAL: Duration = Duration::from_millis(50);

/// How often trouble is reported at most.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// What the writer shares with the threads that log.
pub(super) struct Shared {
    pub(super) buffers: Buffers,
    /// Lines that found their buffer full.
    pub(super) dropped: AtomicU64,
    /// Lines that the target did not take.
    failed: AtomicU64,
    /// The writer found nothing to do and sleeps until it is woken.
    idle: AtomicBool,
    reopen: AtomicBool,
    progress: Mutex<Progress>,
    moved: Condvar,
}

#[derive(Default)]
struct Progress {
    asked: u64,
    done: u64,
    closing: bool,
    closed: bool,
}

impl Shared {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            buffers: Buffers::new(capacity),
            dropped: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            idle: AtomicBool::new(false),
            reopen: AtomicBool::new(false),
            progress: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }

    /// Whether the caller is the one to wake a sleeping writer.
    pub(super) fn takes_from_idle(&self) -> bool {
        self.idle.load(Ordering::SeqCst) && self.idle.swap(false, Ordering::SeqCst)
    }

    pub(super) fn ask_to_reopen(&self) {
        self.reopen.store(true, Ordering::SeqCst);
    }

    pub(super) fn ask_to_close(&self) {
        self.progress().closing = true;
    }

    /// Asks for all that has been logged to be written; the answer tells [`Shared::wait`] what to wait for.
    pub(super) fn ask_to_flush(&self) -> u64 {
        let mut progress = self.progress();
        progress.asked += 1;
        progress.asked
    }

    /// Waits for that flush, or until the writer has closed. False when the time ran out.
    pub(super) fn wait(&self, asked: u64, limit: Duration) -> bool {
        let unfinished = |progress: &mut Progress| progress.done < asked && !progress.closed;
        let waited = self.moved.wait_timeout_while(self.progress(), limit, unfinished);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Whether somebody wants something that cannot wait for the interval.
    fn is_asked(&self) -> bool {
        let progress = self.progress();
        progress.closing || progress.asked > progress.done || self.reopen.load(Ordering::SeqCst)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells those who wait that the writer is gone, however it went.
struct Closed(Arc<Shared>);

impl Drop for Closed {
    fn drop(&mut self) {
        self.0.progress().closed = true;
        self.0.moved.notify_all();
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    target: Target,
    report: Report,
    reported: u64,
    next_report: Instant,
    error: Option<io::Error>,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, target: Target, report: Report) -> Self {
        Self { shared, target, report, reported: 0, next_report: Instant::now(), error: None }
    }

    pub(super) fn run(mut self) {
        let closed = Closed(Arc::clone(&self.shared));
        let mut spare = Vec::new();
        loop {
            let (asked, closing) = {
                let progress = closed.0.progress();
                (progress.asked, progress.closing)
            };
            let wrote = self.write_all(&mut spare);
            self.report(closing);
            closed.0.progress().done = asked;
            closed.0.moved.notify_all();
            if closing {
                return;
            }
            if !wrote {
                self.sleep();
            }
            if !self.shared.is_asked() {
                thread::park_timeout(INTERVAL);
            }
        }
    }

    /// Whether there was anything to write.
    fn write_all(&mut self, spare: &mut Vec<u8>) -> bool {
        let mut wrote = false;
        self.shared.buffers.drain(spare, |lines| {
            wrote = true;
            if let Err(lost) = self.target.write(lines) {
                self.shared.failed.fetch_add(lost.lines, Ordering::Relaxed);
                self.error = Some(lost.error);
            }
        });
        // Lines written before the request to reopen belong to the old file.
        if self.shared.reopen.swap(false, Ordering::SeqCst)
            && let Err(error) = self.target.reopen()
        {
            self.error = Some(error);
        }
        wrote
    }

    fn report(&mut self, closing: bool) {
        let lost = self.shared.lost();
        let news = lost > self.reported || self.error.is_some();
        if news && (closing || Instant::now() >= self.next_report) {
            (self.report)(&LogTrouble { lost: lost - self.reported, error: self.error.take() });
            self.reported = lost;
            self.next_report = Instant::now() + REPORT_INTERVAL;
        }
    }

    /// Sleeps until there is something to do. Whoever appends the first line to a buffer looks at `idle` after that,
    /// and we look at the buffers after we have set it, so that one of us sees the other.
    fn sleep(&self) {
        let shared = &self.shared;
        shared.idle.store(true, Ordering::SeqCst);
        while shared.idle.load(Ordering::SeqCst) && shared.buffers.are_empty() && !shared.is_asked() {
            thread::park();
        }
        shared.idle.store(false, Ordering::SeqCst);
    }
}
