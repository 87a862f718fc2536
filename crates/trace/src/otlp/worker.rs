//! The thread that sends.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    export::{Exporter, Outcome},
    queue::{Orders, Shared},
};

/// How often the log tells of failures at most.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// The pauses between attempts double from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A batch is dropped when the collector has put it off so often.
const ATTEMPTS: u32 = 10;

/// Sends spans from the queue until the last handle is gone.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) exporter: Exporter,
    /// How long spans are gathered before they are sent.
    pub(super) interval: Duration,
    pub(super) trouble: Trouble,
}

/// A batch that is not sent yet.
struct Batch {
    message: Bytes,
    count: usize,
    attempts: u32,
    /// When it may be sent again.
    due: Instant,
}

/// Failures since the log told of them.
#[derive(Default)]
pub(super) struct Trouble {
    told: Option<Instant>,
    dropped_then: u64,
}

impl Worker {
    pub(super) async fn run(mut self) {
        let mut held: Option<Batch> = None;
        loop {
            let Orders { flush, close } = self.shared.orders();
            if flush.is_some() || close {
                let dropped = self.shared.dropped.load(Ordering::Relaxed);
                held = self.send_all(held.take()).await;
                let whole = held.is_none() && self.shared.dropped.load(Ordering::Relaxed) == dropped;
                if let Some(flush) = flush {
                    self.shared.flushed(flush, whole);
                }
                if close {
                    self.give_up(held);
                    return;
                }
                continue;
            }
            held = match held {
                Some(batch) if batch.due <= Instant::now() => self.attempt(batch).await,
                Some(batch) => {
                    self.wait(batch.due.saturating_duration_since(Instant::now())).await;
                    Some(batch)
                }
                None => {
                    if !self.shared.has_batch() {
                        self.wait(self.interval).await;
                    }
                    match self.next() {
                        Some(batch) if !self.is_called() => self.attempt(batch).await,
                        batch => batch,
                    }
                }
            };
        }
    }

    /// Waits for so long, or until somebody calls.
    async fn wait(&self, time: Duration) {
        // Whether it was called or not, the queue and the orders are looked at.
        let _ = tokio::time::timeout(time, self.shared.wake.notified()).await;
    }

    fn is_called(&self) -> bool {
        let Orders { flush, close } = self.shared.orders();
        flush.is_some() || close
    }

    fn next(&self) -> Option<Batch> {
        let spans = self.shared.take();
        let count = spans.len();
        (count > 0).then(|| Batch {
            message: self.exporter.message(spans),
            count,
            attempts: 0,
            due: Instant::now(),
        })
    }

    /// Sends a batch once. The batch comes back when it is to be sent again.
    async fn attempt(&mut self, mut batch: Batch) -> Option<Batch> {
        match self.exporter.send(batch.message.clone()).await {
            Outcome::Taken { refused, why } => {
                let refused = usize::try_from(refused).unwrap_or(usize::MAX).min(batch.count);
                self.shared.exported.fetch_add((batch.count - refused) as u64, Ordering::Relaxed);
                if refused > 0 {
                    self.shared.drop_spans(refused);
                    self.report(&why);
                }
                None
            }
            Outcome::Refused { why } => {
                self.shared.drop_spans(batch.count);
                self.report(&why);
                None
            }
            Outcome::Later { why, after } => {
                batch.attempts += 1;
                if batch.attempts >= ATTEMPTS {
                    self.shared.drop_spans(batch.count);
                    self.report(&why);
                    return None;
                }
                self.report(&why);
                batch.due = Instant::now() + after.unwrap_or_else(|| pause(batch.attempts));
                Some(batch)
            }
        }
    }

    /// Sends all there is. It stops at the first batch that the collector does not take, and gives that batch back: a collector that
    /// is away would be asked for each batch in vain. Spans that come meanwhile are for later, so that this has an end.
    async fn send_all(&mut self, held: Option<Batch>) -> Option<Batch> {
        let mut left = self.shared.len();
        let mut next = held;
        loop {
            if let Some(batch) = next.take()
                && let Some(late) = self.attempt(batch).await
            {
                return Some(late);
            }
            if left == 0 {
                return None;
            }
            next = self.next();
            left = next.as_ref().map_or(0, |batch| left.saturating_sub(batch.count));
        }
    }

    /// Nobody will send what is left.
    fn give_up(&self, held: Option<Batch>) {
        self.shared.drop_spans(held.map_or(0, |batch| batch.count));
        loop {
            match self.shared.take().len() {
                0 => return,
                count => self.shared.drop_spans(count),
            }
        }
    }

    fn report(&mut self, why: &str) {
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        let Trouble { told, dropped_then } = &mut self.trouble;
        if told.is_some_and(|told| told.elapsed() < REPORT_INTERVAL) {
            return;
        }
        *told = Some(Instant::now());
        let lost = dropped - std::mem::replace(dropped_then, dropped);
        tracing::warn!(why, dropped = lost, collector = %self.exporter.url, "the collector does not take spans");
    }
}

impl Drop for Worker {
    /// Also when it panics, nobody waits for it.
    fn drop(&mut self) {
        self.shared.ended();
    }
}

/// The pause after so many attempts: half of it is chance, so that gateways do not come back together.
fn pause(attempts: u32) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << attempts.saturating_sub(1).min(16)).min(LONGEST_PAUSE);
    whole.mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_bound_and_differ() {
        for (attempts, millis) in [(1, 500), (2, 1000), (3, 2000), (7, 30_000), (9, 30_000), (u32::MAX, 30_000)]
        {
            let whole = Duration::from_millis(millis);
            let pauses: Vec<_> = (0..20).map(|_| pause(attempts)).collect();
            assert!(pauses.iter().all(|pause| (whole / 2..=whole).contains(pause)), "{attempts}: {pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{attempts}");
        }
    }
}
