//! The generic cell rate algorithm (ITU-T I.371), with exact arithmetic.
//!
//! A bucket is one number: when it will be full again. A request puts that off by its cost's share of the period, and
//! is refused when that would be later than an empty bucket needs to refill.
//!
//! 100 in 60 s make 600 ms a unit, but 7 in 60 s make no whole number of nanoseconds. So time is counted in whole
//! nanoseconds and n-ths of one, n being the units of a period, and nothing is ever rounded: a rate does not drift,
//! however high it is and however long it runs.
//!
//! A bucket holds no more than what refills in a hundred years. So no sum here overflows, nor does one of the numbers
//! of Redis's script, and no bucket that has been taken to the end of time lets all requests pass.

use std::time::Duration;

use gatewright_core::Quota;

/// When a bucket will be full, in nanoseconds of its store's clock, and n-ths of one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FullAt {
    pub(crate) nanos: u64,
    pub(crate) nths: u32,
}

impl FullAt {
    pub(crate) fn at(nanos: u64) -> Self {
        Self { nanos, nths: 0 }
    }

    pub(crate) fn is_full(self, now: u64) -> bool {
        self <= Self::at(now)
    }
}

/// A quota, made ready for arithmetic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Units of a period, the n of the n-ths.
    units: u32,
    /// In nanoseconds; and in n-ths of one, what a unit stands for.
    period: u64,
    /// Units in a full bucket.
    pub(crate) burst: u32,
    /// What a unit stands for in whole nanoseconds, and the n-ths that are left.
    interval: u64,
    interval_nths: u32,
}

/// What a bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Whole units.
    pub(crate) remaining: u32,
    /// Nanoseconds until it is full.
    pub(crate) reset: u64,
}

/// A request does not fit into what the bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Over {
    /// Nanoseconds until it would; `None` when it costs more than the bucket can ever hold.
    pub(crate) wait: Option<u64>,
}

impl Over {
    /// The one that takes longer, when two limits refuse.
    pub(crate) fn longer(self, other: Self) -> Self {
        Self { wait: self.wait.zip(other.wait).map(|(one, other)| one.max(other)) }
    }
}

/// A hundred years of 365 days.
const LONGEST_REFILL: u64 = 100 * 365 * 86_400 * 1_000_000_000;

impl Rate {
    pub(crate) fn new(quota: Quota) -> Self {
        let units = quota.units();
        // 366 days at most, as `Quota` has it.
        let period = u64::try_from(quota.period().as_nanos()).unwrap_or(LONGEST_REFILL);
        let most = u128::from(LONGEST_REFILL) * u128::from(units) / u128::from(period);
        let nths = period % u64::from(units);
        Self {
            units,
            period,
            burst: quota.burst_size().min(u32::try_from(most).unwrap_or(u32::MAX)),
            interval: period / u64::from(units),
            interval_nths: u32::try_from(nths).unwrap_or_default(),
        }
    }

    /// How long an empty bucket takes to be full.
    pub(crate) fn refill(&self) -> Duration {
        Duration::from_nanos(
            u64::try_from(self.capacity().div_ceil(u128::from(self.units))).unwrap_or(u64::MAX),
        )
    }

    /// What a full bucket holds, in n-ths of a nanosecond.
    fn capacity(&self) -> u128 {
        u128::from(self.burst) * u128::from(self.period)
    }

    /// What is missing in a bucket, in n-ths of a nanosecond.
    fn missing(&self, bucket: FullAt, now: u64) -> u128 {
        match bucket.nanos.checked_sub(now) {
            Some(nanos) => u128::from(nanos) * u128::from(self.units) + u128::from(bucket.nths),
            None => 0,
        }
    }

    /// The bucket after a request of this cost, when it fits.
    pub(crate) fn take(&self, bucket: FullAt, now: u64, cost: u32) -> Result<FullAt, Over> {
        if cost > self.burst {
            return Err(Over { wait: None });
        }
        let bucket = bucket.max(FullAt::at(now));
        let nths = u64::from(cost) * u64::from(self.interval_nths) + u64::from(bucket.nths);
        let units = u64::from(self.units);
        let after = FullAt {
            nanos: bucket
                .nanos
                .saturating_add(u64::from(cost).saturating_mul(self.interval))
                .saturating_add(nths / units),
            nths: u32::try_from(nths % units).unwrap_or_default(),
        };
        match self.missing(after, now).checked_sub(self.capacity()) {
            None | Some(0) => Ok(after),
            Some(over) => {
                let wait = over.div_ceil(u128::from(self.units));
                Err(Over { wait: Some(u64::try_from(wait).unwrap_or(u64::MAX)) })
            }
        }
    }

    /// The bucket as it was before a request of this cost.
    pub(crate) fn give_back(&self, bucket: FullAt, cost: u32) -> FullAt {
        let (cost, units) = (u64::from(cost), u64::from(self.units));
        // The n-ths may have to borrow a nanosecond.
        let nths = cost * u64::from(self.interval_nths);
        let held = u64::from(bucket.nths);
        let borrowed = u64::from(held < nths % units);
        FullAt {
            nanos: bucket.nanos.saturating_sub(cost.saturating_mul(self.interval) + nths / units + borrowed),
            nths: u32::try_from(held + borrowed * units - nths % units).unwrap_or_default(),
        }
    }

    pub(crate) fn read(&self, bucket: FullAt, now: u64) -> Reading {
        let missing = self.missing(bucket, now);
        let held = self.capacity().saturating_sub(missing) / u128::from(self.period);
        Reading {
            remaining: u32::try_from(held).unwrap_or(self.burst),
            reset: u64::try_from(missing.div_ceil(u128::from(self.units))).unwrap_or(u64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::clock::FakeRelativeClock;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_then_the_rate() {
        let rate = Rate::new(Quota::per_second(2).burst(3));
        let mut bucket = FullAt::default();
        for left in [2, 1, 0] {
            bucket = rate.take(bucket, 0, 1).expect("the burst");
            assert_eq!(rate.read(bucket, 0).remaining, left);
        }
        assert_eq!(rate.take(bucket, 0, 1), Err(Over { wait: Some(500_000_000) }));
        assert_eq!(rate.take(bucket, 499_999_999, 1), Err(Over { wait: Some(1) }));
        assert!(rate.take(bucket, 500_000_000, 1).is_ok());
        assert_eq!(rate.read(bucket, 0).reset, 1_500_000_000);
        assert!(bucket.is_full(1_500_000_000) && !bucket.is_full(1_499_999_999));
    }

    #[test]
    fn a_cost_beyond_the_burst_never_fits() {
        let rate = Rate::new(Quota::per_second(2).burst(3));
        assert_eq!(rate.take(FullAt::default(), 0, 4), Err(Over { wait: None }));
        assert!(rate.take(FullAt::default(), 0, 3).is_ok());
    }

    #[test]
    fn a_rate_that_is_no_whole_number_of_nanoseconds_does_not_drift() {
        // 700,001 a second: 1,428 ns and a fraction. Rounded down, it would admit 400 too many in 2 s.
        for units in [3, 7, 700_001, 1_999_999_999] {
            let rate = Rate::new(Quota::per_second(units).burst(units));
            let mut bucket = FullAt::default();
            for second in 0..1_000_u64 {
                let now = second * 1_000_000_000;
                bucket = rate.take(bucket, now, units).expect("a second's worth each second");
                assert!(rate.take(bucket, now, 1).is_err());
                assert_eq!(bucket, FullAt::at(now + 1_000_000_000), "{units}");
            }
        }
    }

    #[test]
    fn the_longest_and_the_largest_do_not_overflow() {
        let year = Quota::per(1, Duration::from_secs(366 * 86_400)).burst(u32::MAX);
        let rate = Rate::new(year);
        assert_eq!(rate.take(FullAt::default(), 0, u32::MAX), Err(Over { wait: None }), "more than a century");
        assert_eq!(rate.burst, 99);
        assert!(rate.take(FullAt::default(), LONGEST_REFILL, 99).is_ok());
        let rate = Rate::new(Quota::per(u32::MAX, Duration::from_millis(1)));
        let bucket = rate.take(FullAt::default(), 0, u32::MAX).expect("fits");
        assert_eq!(bucket, FullAt::at(1_000_000));
    }

    #[test]
    fn a_bucket_that_takes_a_century_to_refill_is_empty_when_it_is_empty() {
        for (quota, most) in [
            (Quota::per_day(1).burst(u32::MAX), 36_500),
            (Quota::per_day(u32::MAX), u32::MAX),
            (Quota::per(1, Duration::from_millis(1)).burst(u32::MAX), u32::MAX),
            (Quota::per(3, Duration::from_secs(366 * 86_400)).burst(1_000_000), 299),
        ] {
            let rate = Rate::new(quota);
            assert_eq!(rate.burst, most, "{quota}");
            // A clock that has run for a century.
            let now = LONGEST_REFILL;
            let bucket = rate.take(FullAt::default(), now, most - 1).expect("it is full");
            assert_eq!(rate.read(bucket, now).remaining, 1, "{quota}");
            let bucket = rate.take(bucket, now, 1).expect("one is left");
            assert!(rate.refill() <= Duration::from_nanos(LONGEST_REFILL));
            assert!(matches!(rate.take(bucket, now, 1), Err(Over { wait: Some(1..) })), "{quota}");
        }
    }

    #[test]
    fn a_clock_that_stands_behind_the_bucket_gives_nothing_away() {
        let rate = Rate::new(Quota::per_second(2).burst(3));
        let bucket = rate.take(FullAt::default(), 5_000_000_000, 3).expect("the burst");
        assert!(rate.take(bucket, 1_000_000_000, 1).is_err());
        assert_eq!(rate.read(bucket, 1_000_000_000).remaining, 0);
    }

    proptest! {
        /// Where a unit is a whole number of nanoseconds, governor decides the same.
        #[test]
        fn governor_agrees(
            units in prop::sample::select(vec![1_u32, 2, 4, 5, 8, 10, 50, 100, 125, 1000]),
            burst in 1_u32..200,
            steps in prop::collection::vec((0_u64..2_000_000_000, 1_u32..5), 1..200),
        ) {
            let quota = governor::Quota::per_second(NonZeroU32::new(units).expect("units"))
                .allow_burst(NonZeroU32::new(burst).expect("burst"));
            let clock = FakeRelativeClock::default();
            let theirs = governor::RateLimiter::direct_with_clock(quota, clock.clone());
            let ours = Rate::new(Quota::per_second(units).burst(burst));
            let (mut bucket, mut now) = (FullAt::default(), 0);
            for (step, cost) in steps {
                // Short steps as often as long ones.
                let step = if step % 2 == 0 { step } else { step % 5_000_000 };
                clock.advance(Duration::from_nanos(step));
                now += step;
                let cost_of_theirs = NonZeroU32::new(cost).expect("cost");
                let admitted = matches!(theirs.check_n(cost_of_theirs), Ok(Ok(())));
                let decided = ours.take(bucket, now, cost);
                prop_assert_eq!(decided.is_ok(), admitted);
                bucket = decided.unwrap_or(bucket);
            }
        }

        #[test]
        fn what_is_given_back_leaves_nothing(
            units in 1_u32..2_000, burst in 1_u32..50, period in 1_u64..100_000,
            costs in prop::collection::vec(0_u32..50, 1..50),
        ) {
            let rate = Rate::new(Quota::per(units, Duration::from_millis(period)).burst(burst));
            let mut bucket = FullAt::at(1_000);
            for cost in costs {
                if let Ok(after) = rate.take(bucket, 1_000, cost) {
                    prop_assert_eq!(rate.give_back(after, cost), bucket);
                    bucket = after;
                }
            }
        }

        #[test]
        fn a_wait_is_exact(
            units in 1_u32..2_000, burst in 1_u32..50, period in 1_u64..100_000,
            steps in prop::collection::vec((0_u64..1_000_000_000, 1_u32..60), 1..100),
        ) {
            let rate = Rate::new(Quota::per(units, Duration::from_millis(period)).burst(burst));
            let (mut bucket, mut now) = (FullAt::default(), 0);
            for (step, cost) in steps {
                now += step;
                match rate.take(bucket, now, cost) {
                    Ok(after) => bucket = after,
                    Err(Over { wait: None }) => prop_assert!(cost > burst),
                    Err(Over { wait: Some(wait) }) => {
                        prop_assert!(wait > 0);
                        prop_assert!(rate.take(bucket, now + wait - 1, cost).is_err());
                        prop_assert!(rate.take(bucket, now + wait, cost).is_ok());
                    }
                }
            }
        }
    }
}
