//! When keys are fetched.

use std::time::Duration;

use tokio::time::Instant;

/// How often tokens of unknown keys may ask for newer ones, and how soon a provider that was away is asked again.
pub(super) const COOLDOWN: Duration = Duration::from_secs(30);

/// How long keys are taken to be fresh, whatever the provider says.
const FRESH: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(60 * 60);

/// When to fetch next. A fetch is claimed before it begins, so that there is one at a time.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) due: Instant,
    under_way: bool,
    asked: Option<Instant>,
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
        Self { due: now, under_way: false, asked: None, failures: 0 }
    }

    pub(super) fn ask(&mut self, now: Instant) -> Asked {
        if self.under_way {
            Asked::Waits
        } else if now >= self.due {
            // It would begin anyway, as the first one does, and costs nobody a turn.
            self.under_way = true;
            Asked::Begins
        } else if self.asked.is_some_and(|asked| now < asked + COOLDOWN) {
            Asked::TooSoon
        } else {
            self.asked = Some(now);
            self.under_way = true;
            Asked::Begins
        }
    }

    /// Claims the fetch that is due, or takes over the one that was claimed by somebody who asked.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let begins = self.under_way || now >= self.due;
        self.under_way = begins;
        begins
    }

    /// Nobody fetches any more.
    pub(super) fn abandon(&mut self, now: Instant) {
        self.under_way = false;
        self.due = now;
    }

    pub(super) fn succeeded(&mut self, now: Instant, fresh: Duration) {
        self.under_way = false;
        self.failures = 0;
        self.due = now + fresh.clamp(*FRESH.start(), *FRESH.end());
    }

    pub(super) fn failed(&mut self, now: Instant, has_keys: bool) {
        self.under_way = false;
        let soon = Duration::from_secs(1 << self.failures.min(5)).min(COOLDOWN);
        self.failures += 1;
        self.due = now + if has_keys { COOLDOWN } else { soon };
    }
}
