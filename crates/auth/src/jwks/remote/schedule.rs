//! When keys are fetched.

use std::time::Duration;

use tokio::time::Instant;

/// How long after a fetch, whatever it was for and however it went, tokens of unknown keys cause none, and how soon a
/// provider that was away is asked again.
pub(super) const COOLDOWN: Duration = Duration::from_secs(30);

/// How long keys are taken to be fresh, whatever the provider says.
const FRESH: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(60 * 60);

/// When to fetch next. A fetch is claimed before it begins, so that there is one at a time.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) due: Instant,
    under_way: bool,
    /// When the last fetch began, of those that count.
    last: Option<Instant>,
    /// Whether there have been keys.
    has_keys: bool,
    failures: u32,
}

/// What becomes of somebody who asks for newer keys.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A fetch is under way.
    Waits,
    /// A fetch has to begin; it is claimed.
    Begins,
    /// There has been one just now.
    TooSoon,
}

impl Schedule {
    pub(super) fn new(now: Instant) -> Self {
        Self { due: now, under_way: false, last: None, has_keys: false, failures: 0 }
    }

    pub(super) fn ask(&mut self, now: Instant) -> Asked {
        if self.under_way {
            return Asked::Waits;
        }
        let cools = self.last.is_some_and(|last| now < last + COOLDOWN);
        // One that is due would begin anyway.
        if cools && now < self.due {
            return Asked::TooSoon;
        }
        self.claim(now);
        Asked::Begins
    }

    /// Claims the fetch that is due, or takes over the one that was claimed by somebody who asked.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        if !self.under_way && now >= self.due {
            self.claim(now);
        }
        self.under_way
    }

    fn claim(&mut self, now: Instant) {
        self.under_way = true;
        self.last = Some(now);
    }

    /// Nobody fetches any more.
    pub(super) fn abandon(&mut self, now: Instant) {
        self.under_way = false;
        self.due = now;
    }

    pub(super) fn succeeded(&mut self, now: Instant, fresh: Duration) {
        self.under_way = false;
        if !self.has_keys {
            // The first keys cost nobody a turn: they may have been fetched for a token of an older one.
            self.last = None;
        }
        self.has_keys = true;
        self.failures = 0;
        self.due = now + fresh.clamp(*FRESH.start(), *FRESH.end());
    }

    pub(super) fn failed(&mut self, now: Instant) {
        self.under_way = false;
        let soon = Duration::from_secs(1 << self.failures.min(5)).min(COOLDOWN);
        self.failures += 1;
        self.due = now + if self.has_keys { COOLDOWN } else { soon };
    }
}
