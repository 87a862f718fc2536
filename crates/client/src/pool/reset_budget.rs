//! How many resets an HTTP/2 endpoint tolerates.
//!
//! Servers that guard themselves against rapid resets (CVE-2023-44487) close a connection on which too many streams
//! are reset. Their limits differ: Tomcat allows three on a new connection and more for each stream that ends
//! well, the h2 crate 20 at once, Jetty 128 in a second, Envoy 500 in all while they are more than half, nghttp2 and
//! Node.js 1000 and 33 more a second. The figures here stay below all of them.

use std::time::Duration;

use tokio::time::Instant;

/// The price of a reset.
const PRICE: u32 = 2;

/// The credit that a stream earns when it ends without a reset.
const EARNED: u32 = 1;

/// The credit of a new connection.
const INITIAL: u32 = 3 * PRICE;

/// The most credit that a connection saves.
const MAX_CREDIT: u32 = 10 * PRICE;

/// In this time a connection earns the price of a reset.
const REFILL: Duration = Duration::from_secs(1);

/// The time between resets that go beyond the credit.
pub(super) const PACE: Duration = Duration::from_millis(100);

/// How many resets an endpoint tolerates on one connection, by a careful estimate.
#[derive(Debug)]
pub(super) struct ResetBudget {
    credit: u32,
    refilled: Instant,
    /// When the last of the resets beyond the credit leaves.
    last: Instant,
}

impl ResetBudget {
    pub(super) fn new(now: Instant) -> Self {
        Self { credit: INITIAL, refilled: now, last: now }
    }

    /// Notes that a stream has ended without a reset.
    pub(super) fn earn(&mut self) {
        self.credit = (self.credit + EARNED).min(MAX_CREDIT);
    }

    /// Pays for a reset that leaves now, if there is enough.
    pub(super) fn pay(&mut self, now: Instant) -> bool {
        while self.credit < MAX_CREDIT && now.duration_since(self.refilled) >= REFILL {
            self.credit = (self.credit + PRICE).min(MAX_CREDIT);
            self.refilled += REFILL;
        }
        if self.credit >= MAX_CREDIT {
            self.refilled = now;
        }
        let enough = self.credit >= PRICE;
        if enough {
            self.credit -= PRICE;
        }
        enough
    }

    /// When a reset may leave that no credit pays for.
    pub(super) fn turn(&mut self, now: Instant) -> Instant {
        self.last = self.last.max(now) + PACE;
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paid(patience: &mut ResetBudget, now: Instant) -> usize {
        (0..100).take_while(|_| patience.pay(now)).count()
    }

    #[test]
    fn a_new_connection_has_a_few_resets_and_time_gives_more() {
        let start = Instant::now();
        let mut patience = ResetBudget::new(start);
        assert_eq!(paid(&mut patience, start), 3);
        assert_eq!(paid(&mut patience, start + Duration::from_millis(2500)), 2);
        assert_eq!(paid(&mut patience, start + Duration::from_secs(3)), 1);
        assert_eq!(paid(&mut patience, start + Duration::from_secs(3600)), 10);
        assert_eq!(paid(&mut patience, start + Duration::from_secs(3600)), 0);
    }

    #[test]
    fn resets_stay_below_half_of_the_streams() {
        let start = Instant::now();
        let mut patience = ResetBudget::new(start);
        let (mut resets, mut ended) = (0, 0);
        for _ in 0..10_000 {
            if patience.pay(start) {
                resets += 1;
            } else {
                patience.earn();
                ended += 1;
            }
        }
        assert!(resets <= 3 + ended / 2, "{resets} of {ended}");
    }

    #[test]
    fn what_nothing_pays_for_leaves_at_a_steady_pace() {
        let start = Instant::now();
        let mut patience = ResetBudget::new(start);
        for number in 1..=100 {
            assert_eq!(patience.turn(start), start + PACE * number);
        }
        let later = start + Duration::from_secs(3600);
        assert_eq!(patience.turn(later), later + PACE);
    }
}
