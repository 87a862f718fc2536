//! Latencies in buckets that grow with them: four to each doubling, from 128 µs to 67 s.
//!
//! A value is told to within a quarter of itself at most. The bounds never change, so that histograms of windows and of
//! routes can be added up.

/// The bits below the first bucket: all that takes less than 128 µs is one.
const FIRST_BITS: u32 = 7;
/// How many times the latency doubles from the first bucket to the last.
const DOUBLINGS: usize = 19;
/// Buckets to a doubling, and their bits.
const PARTS: usize = 4;
const PART_BITS: u32 = 2;

/// With one below, and one above.
pub(crate) const BUCKETS: usize = DOUBLINGS * PARTS + 2;

/// The rows of a heat map: the doublings, with the one below and the one above.
pub(crate) const ROWS: usize = DOUBLINGS + 2;

/// The bucket of a latency in microseconds.
#[inline]
pub(super) fn bucket_of(micros: u64) -> usize {
    if micros < 1 << FIRST_BITS {
        return 0;
    }
    let bits = 63 - micros.leading_zeros();
    let part = (micros >> (bits - PART_BITS)) as usize & (PARTS - 1);
    let doubling = (bits - FIRST_BITS) as usize;
    (1 + doubling * PARTS + part).min(BUCKETS - 1)
}

/// Where a bucket begins, in microseconds.
fn start_of(bucket: usize) -> u64 {
    let Some(bucket) = bucket.checked_sub(1) else { return 0 };
    let (doubling, part) = (bucket / PARTS, bucket % PARTS);
    let begin = 1_u64 << (FIRST_BITS as usize + doubling);
    begin + (begin / PARTS as u64) * part as u64
}

/// Where each row of a heat map begins, in microseconds.
pub(crate) fn rows() -> [u64; ROWS] {
    std::array::from_fn(|row| start_of(first_bucket(row)))
}

fn first_bucket(row: usize) -> usize {
    row.checked_sub(1).map_or(0, |doubling| 1 + doubling * PARTS)
}

/// How many requests took how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Histogram([u64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Histogram {
    pub(super) fn add_each(&mut self, counts: impl Iterator<Item = u32>) {
        self.0.iter_mut().zip(counts).for_each(|(sum, count)| *sum += u64::from(count));
    }

    /// The latency in microseconds that this share of the requests did not exceed; `None` without a request.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let total: u64 = self.0.iter().sum();
        if total == 0 {
            return None;
        }
        let wanted = (share * total as f64).max(1.0);
        let mut before = 0.0;
        for (bucket, count) in self.0.iter().enumerate().filter(|(_, count)| **count > 0) {
            let count = *count as f64;
            if before + count >= wanted {
                let start = start_of(bucket) as f64;
                // The last bucket has no end: its latencies are called by its beginning.
                let end = if bucket + 1 < BUCKETS { start_of(bucket + 1) as f64 } else { start };
                return Some(start + (end - start) * ((wanted - before) / count));
            }
            before += count;
        }
        None
    }

    /// The counts by rows of a heat map.
    pub(crate) fn heat(&self) -> [u64; ROWS] {
        std::array::from_fn(|row| {
            let end = if row + 1 < ROWS { first_bucket(row + 1) } else { BUCKETS };
            self.0[first_bucket(row)..end].iter().sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_latency_is_in_the_bucket_that_begins_before_it_and_ends_after_it() {
        for exponent in 0..40 {
            for micros in [1_u64 << exponent, (1 << exponent) + (1 << exponent) / 3, (2 << exponent) - 1] {
                let bucket = bucket_of(micros);
                assert!(start_of(bucket) <= micros, "{micros}");
                assert!(bucket + 1 == BUCKETS || micros < start_of(bucket + 1), "{micros}");
            }
        }
        assert_eq!((bucket_of(0), bucket_of(u64::MAX)), (0, BUCKETS - 1));
    }

    #[test]
    fn quantiles_are_near_the_latencies_that_were_counted() {
        let mut histogram = Histogram::default();
        for micros in (1..=1000_u64).map(|number| number * 1000) {
            histogram.0[bucket_of(micros)] += 1;
        }
        for (share, expected) in [(0.5, 500_000.0), (0.9, 900_000.0), (0.99, 990_000.0)] {
            let found = histogram.quantile(share).expect("there are requests");
            assert!((found / expected - 1.0).abs() < 0.25, "{share}: {found}");
        }
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn the_rows_of_a_heat_map_hold_all_that_was_counted() {
        let mut histogram = Histogram::default();
        for bucket in 0..BUCKETS {
            histogram.0[bucket] = 1;
        }
        assert_eq!(histogram.heat().iter().sum::<u64>(), BUCKETS as u64);
        assert_eq!(rows()[1], 128);
        assert!(rows().is_sorted());
    }
}
