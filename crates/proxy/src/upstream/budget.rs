//! What retries may cost an upstream.

use std::sync::atomic::{AtomicI64, Ordering};

/// How many retries an upstream can afford. Each request earns a sixth of a retry, and the first few are advanced.
#[derive(Debug)]
pub(crate) struct Budget(AtomicI64);

/// The price of a retry. Each request earns one part of it.
const PRICE: i64 = 6;

/// A quiet upstream can afford these few, and a busy one saves no more than these. From 150 requests on, all retries
/// together are a fifth at most.
const RESERVE: i64 = 5 * PRICE;

impl Budget {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(RESERVE))
    }

    /// Earns one request's part.
    pub(crate) fn earn(&self) {
        if self.0.load(Ordering::Relaxed) < RESERVE {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Pays for one retry, if there is enough.
    pub(crate) fn pay(&self) -> bool {
        if self.0.fetch_sub(PRICE, Ordering::Relaxed) >= PRICE {
            return true;
        }
        self.0.fetch_add(PRICE, Ordering::Relaxed);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_fifth_at_most() {
        let budget = Budget::new();
        let paid = (0..1000).filter(|_| {
            budget.earn();
            budget.pay()
        });
        let paid = paid.count();
        assert!((166..=172).contains(&paid), "{paid}");
    }

    #[test]
    fn a_quiet_upstream_can_afford_five_and_then_one_for_each_six_requests() {
        let budget = Budget::new();
        // Retries that are not used are not saved up.
        for _ in 0..1_000 {
            budget.earn();
        }
        assert_eq!((0..10).filter(|_| budget.pay()).count(), 5);
        for _ in 0..3 {
            for _ in 0..5 {
                budget.earn();
                assert!(!budget.pay());
            }
            budget.earn();
            assert!(budget.pay());
        }
    }
}
