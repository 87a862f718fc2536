//! Why requests were refused, as numbers.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

use super::window::Windowed;

/// How many reasons have a number of their own. The last one stands for all others.
pub(crate) const REASONS: usize = 32;

/// Seconds that are kept.
const SECONDS: usize = 60;

/// What stands for the reasons beyond the last number.
const OTHER: &str = "_other";

/// The refusals of the gateway, by policy and reason. Their texts are few, since policies write them; whatever a policy of
/// an embedder writes, there are [`REASONS`] at most.
#[derive(Debug)]
pub(crate) struct Reasons {
    known: [OnceLock<Reason>; REASONS],
}

#[derive(Debug)]
struct Reason {
    policy: Box<str>,
    reason: Box<str>,
    total: AtomicU64,
    seconds: [Windowed; SECONDS],
}

impl Default for Reasons {
    fn default() -> Self {
        Self { known: [const { OnceLock::new() }; REASONS] }
    }
}

impl Reasons {
    /// Counts a refusal, and gives the number of its reason.
    pub(super) fn add(&self, second: u32, policy: &str, reason: &str) -> usize {
        let (policy, reason) = (cut(policy), cut(reason));
        let last = REASONS - 1;
        for (number, place) in self.known.iter().enumerate() {
            let (policy, reason) = if number == last { (OTHER, OTHER) } else { (policy, reason) };
            let known = place.get_or_init(|| Reason::new(policy, reason));
            if *known.policy == *policy && *known.reason == *reason {
                known.total.fetch_add(1, Ordering::Relaxed);
                known.seconds[second as usize % SECONDS].add(second);
                return number;
            }
        }
        last
    }

    /// `policy:reason` of a number.
    pub(crate) fn name(&self, number: usize) -> Option<String> {
        let Reason { policy, reason, .. } = self.known.get(number)?.get()?;
        Some(if **policy == *OTHER { OTHER.to_owned() } else { format!("{policy}:{reason}") })
    }

    /// Each reason with all its refusals, and with those of each second from `first` on.
    pub(crate) fn all(&self, first: u32, last: u32) -> impl Iterator<Item = (String, u64, Vec<u32>)> {
        let known = self.known.iter().enumerate().filter_map(|(number, place)| Some((number, place.get()?)));
        known.map(move |(number, known)| {
            let seconds = (first..=last).map(|second| known.seconds[second as usize % SECONDS].get(second));
            (self.name(number).unwrap_or_default(), known.total.load(Ordering::Relaxed), seconds.collect())
        })
    }
}

impl Reason {
    fn new(policy: &str, reason: &str) -> Self {
        Self {
            policy: policy.into(),
            reason: reason.into(),
            total: AtomicU64::new(0),
            seconds: std::array::from_fn(|_| Windowed::default()),
        }
    }
}

/// A reason is a short word; what is longer is cut.
fn cut(text: &str) -> &str {
    const LONGEST: usize = 64;
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_keeps_its_number_and_those_beyond_the_bound_share_one() {
        let reasons = Reasons::default();
        let first = reasons.add(0, "auth", "no_token");
        assert_eq!(reasons.add(1, "auth", "no_token"), first);
        for number in 0..1000 {
            reasons.add(1, "custom", &format!("reason {number}"));
        }
        let all: Vec<_> = reasons.all(0, 1).collect();
        assert_eq!(all.len(), REASONS);
        assert_eq!(all[0], ("auth:no_token".to_owned(), 2, vec![1, 1]));
        assert_eq!(all[REASONS - 1].0, "_other");
        assert_eq!(all.iter().map(|(_, total, _)| total).sum::<u64>(), 1002);
    }

    #[test]
    fn a_reason_that_is_too_long_is_cut_once() {
        let reasons = Reasons::default();
        let long = "x".repeat(100_000);
        reasons.add(0, "custom", &long);
        assert_eq!(reasons.add(0, "custom", &long), 0);
        assert!(reasons.name(0).expect("was counted").len() < 100);
    }
}
