//! Keys that were refused a moment ago.
//!
//! A bucket that has not enough now has not enough before its wait is over, whatever others do meanwhile: they only take.
//! So until then the answer is known here, and Redis need not be asked. It is asked again after a while all the same,
//! in case somebody has emptied it.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{key::KeyBytes, limits::Limits, verdict::Verdict};

const SHARDS: usize = 16;
/// Beyond so many in a shard, those that are over go, and what is new is not kept.
const MOST_IN_A_SHARD: usize = 4_096;
/// Shorter waits are over before they are of use.
const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Refused {
    shards: [Mutex<HashMap<[u64; 2], Refusal>>; SHARDS],
    hashers: [RandomState; 2],
}

#[derive(Debug)]
struct Refusal {
    at: Instant,
    until: Instant,
    cost: u32,
    verdict: Verdict,
}

impl Refused {
    pub(super) fn new() -> Self {
        Self { shards: Default::default(), hashers: [RandomState::new(), RandomState::new()] }
    }

    fn hash(&self, key: &KeyBytes, limits: &Limits) -> [u64; 2] {
        let limits = limits.iter().fold(0_u64, |ids, limit| ids.rotate_left(7) ^ limit.id);
        [0, 1].map(|i| self.hashers[i].hash_one((key.as_slice(), limits)))
    }

    fn shard(&self, hash: [u64; 2]) -> MutexGuard<'_, HashMap<[u64; 2], Refusal>> {
        self.shards[hash[0] as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer, when it is known.
    pub(super) fn look_up(&self, key: &KeyBytes, limits: &Limits, cost: u32) -> Option<Verdict> {
        let hash = self.hash(key, limits);
        let shard = self.shard(hash);
        let refusal = shard.get(&hash)?;
        let now = Instant::now();
        if now >= refusal.until || cost < refusal.cost {
            return None;
        }
        let passed = u64::try_from(now.saturating_duration_since(refusal.at).as_nanos()).unwrap_or(u64::MAX);
        let mut verdict = refusal.verdict.clone();
        verdict.wait = verdict.wait.map(|wait| wait.saturating_sub(passed));
        for reading in &mut verdict.readings {
            reading.reset = reading.reset.saturating_sub(passed);
        }
        Some(verdict)
    }

    /// Remembers a refusal, of a request that was sent at this time.
    pub(super) fn remember(&self, key: &KeyBytes, limits: &Limits, cost: u32, at: Instant, verdict: &Verdict) {
        let Some(wait) = verdict.wait.map(Duration::from_nanos).filter(|wait| *wait >= SHORTEST) else {
            return;
        };
        let hash = self.hash(key, limits);
        let mut shard = self.shard(hash);
        if shard.len() >= MOST_IN_A_SHARD {
            let now = Instant::now();
            shard.retain(|_, refusal| refusal.until > now);
            if shard.len() >= MOST_IN_A_SHARD {
                return;
            }
        }
        shard.insert(hash, Refusal { at, until: at + wait.min(LONGEST), cost, verdict: verdict.clone() });
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hasher;

    use gatewright_core::Quota;

    use super::*;

    fn key(number: u64) -> KeyBytes {
        let mut key = KeyBytes::default();
        key.write_u64(number);
        key
    }

    fn refusal(wait: Duration) -> Verdict {
        let wait = u64::try_from(wait.as_nanos()).expect("fits");
        Verdict { admitted: false, wait: Some(wait), readings: Default::default() }
    }

    /// More keys than all shards take, whatever chance gives to each.
    const MANY: u64 = (SHARDS * (MOST_IN_A_SHARD + 400)) as u64;

    fn known(refused: &Refused, limits: &Limits) -> usize {
        (0..MANY).filter(|number| refused.look_up(&key(*number), limits, 1).is_some()).count()
    }

    #[test]
    fn a_flood_of_refusals_is_kept_up_to_the_cap_and_drives_none_out_that_holds() {
        let (refused, limits) = (Refused::new(), Limits::new("", "", &[Quota::per_day(1)]));
        let hour = refusal(Duration::from_secs(3_600));
        for number in 0..MANY {
            // As of later, so that the test may take its time.
            refused.remember(&key(number), &limits, 1, Instant::now() + Duration::from_secs(600), &hour);
        }
        assert_eq!(known(&refused, &limits), SHARDS * MOST_IN_A_SHARD);
        assert!(refused.look_up(&key(0), &limits, 1).is_some());
    }

    #[test]
    fn refusals_that_are_over_make_room_for_new_ones() {
        let (refused, limits) = (Refused::new(), Limits::new("", "", &[Quota::per_day(1)]));
        for number in 0..MANY {
            // They were over before they came.
            let past = Instant::now() - Duration::from_secs(1);
            refused.remember(&key(number), &limits, 1, past, &refusal(SHORTEST));
        }
        let later = Instant::now() + Duration::from_secs(600);
        refused.remember(&key(MANY), &limits, 1, later, &refusal(LONGEST));
        assert!(refused.look_up(&key(MANY), &limits, 1).is_some());
        assert_eq!(known(&refused, &limits), 0);
    }
}
