//! Decides when keys are fetched.
//!
//! Invariants:
//!
//! 1. At most one fetch is claimed. It is claimed before it begins, and released by `succeeded`, `failed` or
//!    `abandon`.
//! 2. A request for newer keys within `COOLDOWN` of the last claim causes no fetch, unless one is due anyway.
//! 3. The first success clears the cooldown once. A token of an older key may have caused that fetch, and a token of
//!    a newer key need not wait for it.
//! 4. `due` always lies in the future after a fetch, so a fetch that fails at once never becomes a busy loop. With
//!    keys it is at least `COOLDOWN` away after a failure; without keys the wait doubles from one second up to
//!    `COOLDOWN`.
//! 5. Time only comes in as an argument; nothing here waits.

use std::time::Duration;

use tokio::time::Instant;

/// The time after a fetch, for any reason and with any result, in which tokens of unknown keys cause no fetch; also
/// the wait before a provider that was away is asked again.
pub(super) const COOLDOWN: Duration = Duration::from_secs(30);

/// The limits of freshness, whatever the provider says.
const FRESH: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(60 * 60);

/// The time of the next fetch, and the state that it depends on.
#[derive(Debug)]
pub(super) struct Schedule {
    pub(super) due: Instant,
    under_way: bool,
    /// The time when the last fetch was claimed, unless it does not count.
    last: Option<Instant>,
    /// Whether a fetch has succeeded.
    has_keys: bool,
    failures: u32,
}

/// The answer to a request for newer keys.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A fetch is under way.
    Waits,
    /// A fetch must begin. It is claimed.
    Begins,
    /// Another fetch began too recently.
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
        // A fetch that is due would begin anyway.
        if cools && now < self.due {
            return Asked::TooSoon;
        }
        self.claim(now);
        Asked::Begins
    }

    /// Claims the fetch that is due, or takes over the fetch that a request has claimed.
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

    /// Releases the claim of a task that has ended. The next task fetches at once.
    pub(super) fn abandon(&mut self, now: Instant) {
        self.under_way = false;
        self.due = now;
    }

    pub(super) fn succeeded(&mut self, now: Instant, fresh: Duration) {
        self.under_way = false;
        if !self.has_keys {
            // A token of an older key may have caused this fetch. A token of a newer key may cause another at once.
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
