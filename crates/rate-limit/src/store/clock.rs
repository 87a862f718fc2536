use std::time::{Instant, SystemTime};

/// Nanoseconds since the store was made.
#[derive(Debug, Clone)]
pub(super) enum Clock {
    Monotonic(Instant),
    /// A clock that was given, and its time when the store was made.
    Given(gatewright_core::Clock, SystemTime),
}

impl Clock {
    pub(super) fn start() -> Self {
        Self::Monotonic(Instant::now())
    }

    /// The clock of the system, which steps of the time of day do not move; or else the clock that is given.
    pub(super) fn of(clock: gatewright_core::Clock) -> Self {
        if clock.is_system() {
            return Self::start();
        }
        let start = clock.now();
        Self::Given(clock, start)
    }

    pub(super) fn now(&self) -> u64 {
        let elapsed = match self {
            Self::Monotonic(start) => start.elapsed(),
            Self::Given(clock, start) => clock.now().duration_since(*start).unwrap_or_default(),
        };
        // 64 bits of nanoseconds last for 584 years.
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }
}
