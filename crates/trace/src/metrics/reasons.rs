//! Counters by who stood in the way of a request, and why.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// The most pairs on one route.
const MOST: usize = 32;

/// A counter for each pair of words that comes, found by a walk over those that came before.
#[derive(Default)]
pub(super) struct Reasons {
    known: [OnceLock<Reason>; MOST],
    other: AtomicU64,
}

struct Reason {
    by: Box<str>,
    reason: Box<str>,
    count: AtomicU64,
}

impl Reasons {
    /// Counts one; false when there are too many pairs to tell this one apart.
    pub(super) fn add(&self, by: &str, reason: &str) -> bool {
        for place in &self.known {
            let known =
                place.get_or_init(|| Reason { by: by.into(), reason: reason.into(), count: AtomicU64::new(0) });
            if *known.reason == *reason && *known.by == *by {
                known.count.fetch_add(1, Relaxed);
                return true;
            }
        }
        self.other.fetch_add(1, Relaxed);
        false
    }

    /// What has been counted.
    pub(super) fn each(&self, mut see: impl FnMut(&str, &str, u64)) {
        for known in self.known.iter().map_while(OnceLock::get) {
            see(&known.by, &known.reason, known.count.load(Relaxed));
        }
    }

    /// What could not be told apart.
    pub(super) fn other(&self) -> u64 {
        self.other.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_told_apart_until_there_are_too_many() {
        let reasons = Reasons::default();
        for _ in 0..2 {
            for number in 0..MOST + 3 {
                let reason = format!("reason {number}");
                assert_eq!(reasons.add("policy", &reason), number < MOST);
            }
        }
        let mut seen = 0;
        reasons.each(|by, _, count| {
            assert_eq!((by, count), ("policy", 2));
            seen += 1;
        });
        assert_eq!((seen, reasons.other()), (MOST, 6));
    }
}
