//! Weighted round robin.
//!
//! 1. In one round each endpoint has as many turns as its weight, divided by what all weights have in common.
//! 2. The turns of a heavy endpoint are spread over the round (smooth weighted round robin, as nginx does it).
//! 3. An endpoint that has just failed is passed over while there is another one.
//! 4. The count of turns goes on when the endpoints change, so that a change does not favour the first endpoint.

use std::sync::atomic::{AtomicUsize, Ordering};

/// One round: the positions of the endpoints, in the order of their turns.
#[derive(Debug)]
pub(crate) struct Turns(Box<[usize]>);

/// Counts the turns of an upstream.
#[derive(Debug, Default)]
pub(crate) struct RoundRobin {
    next: AtomicUsize,
}

impl Turns {
    /// The round of endpoints with these weights. Each weight is one or more.
    pub(crate) fn new(weights: &[u32]) -> Self {
        let divisor = weights.iter().copied().fold(0, gcd).max(1);
        let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight / divisor)).collect();
        let total: i64 = weights.iter().sum();
        let mut credit = vec![0; weights.len()];
        let mut round = Vec::new();
        for _ in 0..total {
            let mut richest = 0;
            for endpoint in 0..weights.len() {
                credit[endpoint] += weights[endpoint];
                if credit[endpoint] > credit[richest] {
                    richest = endpoint;
                }
            }
            credit[richest] -= total;
            round.push(richest);
        }
        Self(round.into())
    }
}

impl RoundRobin {
    /// The position of the endpoint whose turn it is. One that `has_failed` is passed over where there is another one.
    /// `None` when there is no endpoint.
    pub(crate) fn choose(&self, turns: &Turns, has_failed: impl Fn(usize) -> bool) -> Option<usize> {
        let turns = &*turns.0;
        if turns.len() <= 1 {
            return turns.first().copied();
        }
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = |offset: usize| turns[turn.wrapping_add(offset) % turns.len()];
        Some((0..turns.len()).map(in_turn).find(|endpoint| !has_failed(*endpoint)).unwrap_or(turns[0]))
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heavier_targets_take_more_turns_spread_out() {
        let turns = |weights: &[u32]| Turns::new(weights).0;
        assert_eq!(&*turns(&[1]), [0]);
        assert_eq!(&*turns(&[7, 7]), [0, 1]);
        assert_eq!(&*turns(&[4, 2]), [0, 1, 0]);
        assert_eq!(&*turns(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn of_no_endpoints_none_is_chosen() {
        assert_eq!(RoundRobin::default().choose(&Turns::new(&[]), |_| false), None);
    }

    /// The endpoints that are chosen one after another.
    fn chosen(weights: &[u32], failed: Option<usize>, count: usize) -> Vec<usize> {
        let (turns, balancer) = (Turns::new(weights), RoundRobin::default());
        let choose = |_| balancer.choose(&turns, |endpoint| Some(endpoint) == failed).expect("there is one");
        (0..count).map(choose).collect()
    }

    proptest! {
        #[test]
        fn in_whole_rounds_each_endpoint_has_its_share(
            weights in prop::collection::vec(1..=100_u32, 1..8),
            rounds in 1..4_usize,
        ) {
            let divisor = weights.iter().copied().fold(0, gcd) as usize;
            let total = weights.iter().sum::<u32>() as usize / divisor;
            let chosen = chosen(&weights, None, rounds * total);
            for (endpoint, weight) in weights.iter().enumerate() {
                let turns = chosen.iter().filter(|chosen| **chosen == endpoint).count();
                prop_assert_eq!(turns, rounds * *weight as usize / divisor, "{:?}", endpoint);
            }
        }

        // At no time is an endpoint further from its share than the number of endpoints.
        #[test]
        fn the_turns_of_an_endpoint_are_spread_out(weights in prop::collection::vec(1..=100_u32, 1..8)) {
            let total = weights.iter().sum::<u32>() as usize;
            let chosen = chosen(&weights, None, total);
            for (endpoint, weight) in weights.iter().enumerate() {
                let mut had = 0_i64;
                for (turn, chosen) in chosen.iter().enumerate() {
                    had += i64::from(*chosen == endpoint);
                    let share = (turn as i64 + 1) * i64::from(*weight);
                    let apart = (had * total as i64 - share).abs();
                    prop_assert!(apart <= (weights.len() * total) as i64, "{} at {}", endpoint, turn);
                }
            }
        }

        #[test]
        fn a_failed_endpoint_is_chosen_only_where_it_is_alone(
            weights in prop::collection::vec(1..=100_u32, 1..8),
            failed in 0..8_usize,
        ) {
            let failed = failed % weights.len();
            for endpoint in chosen(&weights, Some(failed), 100) {
                prop_assert!(endpoint != failed || weights.len() == 1);
            }
        }
    }
}
