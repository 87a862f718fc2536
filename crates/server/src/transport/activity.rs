//! The times of the last events on a connection.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// Stamps of one connection, in milliseconds since its start. They replace timers: an event only sets a stamp, and the
/// connection's one watchdog reads the stamps when it wakes.
///
/// Almost all stamps are written by the connection's own task. Where another task writes one, the order does not matter.
#[derive(Debug)]
pub(crate) struct Activity {
    start: Instant,
    /// The socket has taken no bytes since then.
    pub(crate) write_blocked: Stamp,
    /// The socket took bytes again then, after it had taken none.
    pub(crate) write_resumed: Stamp,
    /// The connection has waited for the next byte of a body since then.
    pub(crate) body_awaited: Stamp,
    /// A head has been incomplete since then.
    pub(crate) head_begun: Stamp,
    /// No request has been in flight since then.
    pub(crate) idle: Stamp,
    /// The number of bytes read from the socket, which tests wait for.
    #[cfg(test)]
    pub(crate) read: AtomicU64,
    /// The number of bytes written to the socket.
    #[cfg(test)]
    pub(crate) written: AtomicU64,
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            write_blocked: Stamp::none(),
            write_resumed: Stamp::none(),
            body_awaited: Stamp::none(),
            head_begun: Stamp::none(),
            idle: Stamp(AtomicU64::new(1)),
            #[cfg(test)]
            read: AtomicU64::new(0),
            #[cfg(test)]
            written: AtomicU64::new(0),
        }
    }

    /// Now, never zero.
    pub(crate) fn now(&self) -> u64 {
        self.at(Instant::now())
    }

    pub(crate) fn at(&self, instant: Instant) -> u64 {
        millis(instant.saturating_duration_since(self.start)).saturating_add(1)
    }

    /// The instant of a stamp.
    pub(crate) fn instant(&self, stamp: u64) -> Instant {
        self.start + Duration::from_millis(stamp.saturating_sub(1))
    }

    /// The socket takes bytes.
    #[inline]
    pub(crate) fn write_resumes(&self) {
        if self.write_blocked.get().is_some() {
            self.write_blocked.clear();
            self.write_resumed.set(self.now());
        }
    }

    /// Sets a stamp that is not set.
    pub(crate) fn begin(&self, stamp: &Stamp) {
        if stamp.get().is_none() {
            stamp.set(self.now());
        }
    }
}

/// The age of a stamp at which a limit has passed. Stamps are rounded down, so the age is a millisecond more than the
/// limit, and no limit passes early.
pub(crate) fn ticks(limit: Duration) -> u64 {
    millis(limit).saturating_add(1)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// One stamp; zero if it is not set.
#[derive(Debug, Default)]
pub(crate) struct Stamp(AtomicU64);

impl Stamp {
    pub(crate) const fn none() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline]
    pub(crate) fn get(&self) -> Option<u64> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            at => Some(at),
        }
    }

    #[inline]
    pub(crate) fn set(&self, at: u64) {
        self.0.store(at, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn clear(&self) {
        if self.get().is_some() {
            self.0.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_limit_is_over_after_all_of_it_and_at_most_a_millisecond_later() {
        let limit = Duration::from_millis(300);
        for micros in [0, 1, 499, 500, 900, 999] {
            let activity = Activity::new();
            tokio::time::advance(Duration::from_micros(micros)).await;
            let stamp = Stamp::none();
            activity.begin(&stamp);
            let due = stamp.get().expect("it has begun") + ticks(limit);
            tokio::time::advance(limit - Duration::from_micros(1)).await;
            assert!(activity.now() < due, "{micros}");
            tokio::time::advance(Duration::from_micros(1001)).await;
            assert!(activity.now() >= due, "{micros}");
        }
    }
}
