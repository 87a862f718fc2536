use std::time::Instant;

/// Nanoseconds since the store was made.
#[derive(Debug)]
pub(super) enum Clock {
    Monotonic(Instant),
    #[cfg(test)]
    ByHand(std::sync::atomic::AtomicU64),
}

impl Clock {
    pub(super) fn start() -> Self {
        Self::Monotonic(Instant::now())
    }

    pub(super) fn now(&self) -> u64 {
        match self {
            // 64 bits of nanoseconds last for 584 years.
            Self::Monotonic(start) => u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX),
            #[cfg(test)]
            Self::ByHand(now) => now.load(std::sync::atomic::Ordering::Relaxed),
        }
    }
}
