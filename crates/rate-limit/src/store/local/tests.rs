use std::{
    collections::HashMap,
    hash::Hasher,
    sync::atomic::AtomicU64,
    time::{Duration, UNIX_EPOCH},
};

use gatewright_core::Quota;
use proptest::prelude::*;

use super::*;
use crate::gcra::Rate;

/// A store whose time is set by hand.
struct ByHand {
    store: LocalStore,
    nanos: Arc<AtomicU64>,
}

impl ByHand {
    fn new(max_keys: usize) -> Self {
        let nanos = Arc::new(AtomicU64::new(0));
        let time = Arc::clone(&nanos);
        let now = move || UNIX_EPOCH + Duration::from_nanos(time.load(Ordering::Relaxed));
        let clock = gatewright_core::Clock::from_fn(now);
        Self { store: LocalStore::new().max_keys(max_keys).clock(clock), nanos }
    }

    fn set_time(&self, nanos: u64) {
        self.nanos.store(nanos, Ordering::Relaxed);
    }
}

impl std::ops::Deref for ByHand {
    type Target = LocalStore;

    fn deref(&self) -> &LocalStore {
        &self.store
    }
}

fn key(number: u64) -> KeyBytes {
    let mut key = KeyBytes::default();
    key.write_u64(number);
    key
}

fn limits(quotas: &[Quota]) -> Limits {
    Limits::new("", "", quotas)
}

#[test]
fn a_refusal_by_one_limit_takes_nothing_from_the_others() {
    let store = ByHand::new(10);
    let limits = limits(&[Quota::per_second(1), Quota::per_day(100)]);
    assert!(store.decide(&key(1), &limits, 1).admitted);
    for _ in 0..50 {
        let refused = store.decide(&key(1), &limits, 1);
        assert!(!refused.admitted);
        assert_eq!(refused.wait, Some(1_000_000_000));
        assert_eq!(refused.readings[1].remaining, 99);
    }
    store.set_time(1_000_000_000);
    assert_eq!(store.decide(&key(1), &limits, 1).readings[1].remaining, 98);
}

#[test]
fn a_refusal_by_several_limits_waits_for_the_slowest() {
    let store = ByHand::new(10);
    let limits = limits(&[Quota::per_second(1), Quota::per_minute(1)]);
    assert!(store.decide(&key(1), &limits, 1).admitted);
    assert_eq!(store.decide(&key(1), &limits, 1).wait, Some(60_000_000_000));
    assert_eq!(store.decide(&key(1), &limits, 2).wait, None, "what costs more than the burst never fits");
}

#[test]
fn full_buckets_are_evicted_and_others_are_not() {
    let store = ByHand::new(100);
    let limits = limits(&[Quota::per_second(1).burst(5)]);
    for number in 0..100 {
        store.set_time(number);
        assert_eq!(store.decide(&key(number), &limits, 1).readings[0].remaining, 4);
    }
    assert_eq!((store.keys(), store.evicted()), (100, 0));
    // The first fifty are full, the others will be in some nanoseconds.
    store.set_time(1_000_000_049);
    assert_eq!(store.decide(&key(1_000), &limits, 1).readings[0].remaining, 4);
    assert_eq!((store.keys(), store.evicted(), store.overflowed()), (51, 50, 0));
    assert_eq!(store.decide(&key(99), &limits, 1).readings[0].remaining, 3);
}

#[test]
fn new_keys_share_a_bucket_while_there_is_no_room() {
    let store = ByHand::new(10);
    let limits = limits(&[Quota::per_second(1).burst(5)]);
    for number in 0..10 {
        assert!(store.decide(&key(number), &limits, 1).admitted);
    }
    let admitted = (100..200).filter(|number| store.decide(&key(*number), &limits, 1).admitted).count();
    assert_eq!(admitted, 5, "one burst for all of them");
    assert_eq!((store.keys(), store.evicted(), store.overflowed()), (10, 0, 100));
    // Those that have their own bucket keep it.
    assert_eq!(store.decide(&key(3), &limits, 1).readings[0].remaining, 3);
    // All ten have a unit back after a second, and so has the shared one; a key that gets its own begins with that.
    store.set_time(1_000_000_000);
    assert_eq!(store.decide(&key(100), &limits, 1).readings[0].remaining, 0);
    assert!(!store.decide(&key(100), &limits, 1).admitted);
    // When the shared one is full, nothing is left of it.
    store.set_time(10_000_000_000);
    assert_eq!(store.decide(&key(101), &limits, 1).readings[0].remaining, 4);
}

#[test]
fn a_bucket_that_stays_is_charged_also_when_another_limit_of_the_key_has_no_room() {
    let store = ByHand::new(2);
    let both = limits(&[Quota::per_second(1), Quota::per_day(3)]);
    let other = limits(&[Quota::per_hour(1)]);
    assert!(store.decide(&key(1), &both, 1).admitted);
    store.set_time(2_000_000_000);
    // The bucket of the second is full and goes; that of the day stays.
    assert!(store.decide(&key(2), &other, 1).admitted);
    assert_eq!((store.keys(), store.evicted()), (2, 1));
    assert_eq!(store.decide(&key(1), &both, 1).readings[1].remaining, 1);
    store.set_time(4_000_000_000);
    assert_eq!(store.decide(&key(1), &both, 1).readings[1].remaining, 0);
    store.set_time(6_000_000_000);
    assert!(!store.decide(&key(1), &both, 1).admitted);
}

/// The case that `no_key_gains_by_eviction` met on its own: room is made while one bucket of the key is full and goes,
/// and the other is to come.
#[test]
fn a_keys_own_bucket_that_makes_room_needs_room_again() {
    let both =
        limits(&[Quota::per(2, Duration::from_millis(1)), Quota::per(50, Duration::from_secs(1)).burst(6)]);
    for (after, later) in [(500_000, 20_000_000), (500_000, 2_000_000_000), (19_000_000, 1_000_000)] {
        let store = ByHand::new(3);
        let mut now = 0;
        for (after, number, cost) in [(0, 1, 1), (after, 2, 0), (later, 2, 1), (0, 1, 1)] {
            now += after;
            store.set_time(now);
            assert!(store.decide(&key(number), &both, cost).admitted);
            assert!(store.keys() <= 3, "{} buckets at {now}", store.keys());
        }
        // Neither of them has gained by it.
        assert_eq!(store.decide(&key(1), &both, 0).readings[1].remaining, 5);
        assert_eq!(store.decide(&key(2), &both, 0).readings[1].remaining, 5);
    }
}

#[test]
fn the_table_does_not_grow_while_full_buckets_make_room() {
    let store = ByHand::new(1_000_000);
    let limits = limits(&[Quota::per_second(1000)]);
    for number in 0..50_000 {
        store.set_time(number * 1_000_000);
        store.decide(&key(number), &limits, 1);
    }
    assert!(store.keys() < 2_000, "{}", store.keys());
    assert_eq!(store.overflowed(), 0);
}

#[test]
fn limits_of_another_name_or_quota_have_their_own_buckets_in_a_shared_store() {
    let store = ByHand::new(100);
    let quota = Quota::per_minute(1);
    assert!(store.decide(&key(1), &Limits::new("a", "", &[quota]), 1).admitted);
    assert!(!store.clone().decide(&key(1), &Limits::new("a", "", &[quota]), 1).admitted);
    assert!(store.decide(&key(1), &Limits::new("b", "", &[quota]), 1).admitted);
    assert!(store.decide(&key(1), &Limits::new("a", "", &[quota.burst(2)]), 1).admitted);
}

#[test]
fn the_cap_bounds_the_keys_however_many_come() {
    let store = ByHand::new(20_000);
    let limits = limits(&[Quota::per_hour(10)]);
    for number in 0..200_000 {
        store.decide(&key(number), &limits, 1);
    }
    let (keys, overflowed) = (store.keys(), store.overflowed());
    assert!((19_900..=20_100).contains(&keys), "{keys}");
    assert_eq!(keys as u64 + overflowed, 200_000);
    assert_eq!(store.evicted(), 0);
}

/// What happens to one of few keys, some time after what happened before.
#[derive(Debug, Clone)]
struct Step {
    after: u64,
    key: u64,
    cost: u32,
    limits: usize,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0_u64..3_000, 0_u64..12, 0_u32..4, 0_usize..3).prop_map(|(after, key, cost, limits)| Step {
        after: after * after * 100,
        key,
        cost,
        limits,
    });
    prop::collection::vec(step, 1..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400 * ProptestConfig::default().cases / 256, ..ProptestConfig::default() })]

    /// A naive model that never forgets is charged with all that the store admits. It would have admitted each.
    #[test]
    fn no_key_gains_by_eviction(cap in 1_usize..12, steps in steps()) {
        let sets: [&[Quota]; 3] = [
            &[Quota::per(3, Duration::from_millis(7)).burst(4)],
            &[Quota::per(2, Duration::from_millis(1)), Quota::per(50, Duration::from_secs(1)).burst(6)],
            &[Quota::per(7, Duration::from_millis(3))],
        ];
        let sets = sets.map(limits);
        let store = ByHand::new(cap);
        let mut model: HashMap<(u64, u64), FullAt> = HashMap::new();
        let mut now = 0;
        for step in steps {
            now += step.after;
            store.set_time(now);
            let limits = &sets[step.limits];
            let verdict = store.decide(&key(step.key), limits, step.cost);
            prop_assert!(store.keys() <= cap);
            if !verdict.admitted {
                continue;
            }
            for limit in limits.iter() {
                let bucket = model.entry((step.key, limit.id)).or_default();
                match limit.rate.take(*bucket, now, step.cost) {
                    Ok(after) => *bucket = after,
                    Err(_) => prop_assert!(false, "{step:?} at {now} was admitted and the model refuses it"),
                }
            }
        }
    }

    /// While there is room, the store decides as the model does, in each reading.
    #[test]
    fn with_room_the_store_is_exact(steps in steps()) {
        let rates = [Quota::per(3, Duration::from_millis(7)).burst(4), Quota::per(5, Duration::from_millis(20))];
        let limits = limits(&rates);
        let rates = rates.map(Rate::new);
        let store = ByHand::new(24);
        let mut model: HashMap<u64, [FullAt; 2]> = HashMap::new();
        let mut now = 0;
        for step in steps {
            now += step.after;
            store.set_time(now);
            let buckets = model.entry(step.key).or_default();
            let after = [0, 1].map(|i| rates[i].take(buckets[i], now, step.cost));
            if let [Ok(one), Ok(other)] = after {
                *buckets = [one, other];
            }
            let verdict = store.decide(&key(step.key), &limits, step.cost);
            prop_assert_eq!(verdict.admitted, after.iter().all(Result::is_ok));
            prop_assert_eq!(verdict.readings[0], rates[0].read(buckets[0], now));
            prop_assert_eq!(verdict.readings[1], rates[1].read(buckets[1], now));
        }
        prop_assert_eq!(store.overflowed(), 0);
    }
}

#[test]
fn a_fingerprint_is_its_own_hash() {
    use std::hash::{BuildHasher, BuildHasherDefault};

    let hash =
        |halves| BuildHasherDefault::<crate::store::buckets::AsItIs>::default().hash_one(Fingerprint(halves));
    assert_eq!(hash([7, 9]), 7);
    assert_eq!(hash([u64::MAX, 9]), u64::MAX);
}

#[test]
fn a_bucket_makes_room_from_the_moment_at_which_it_is_full() {
    let store = ByHand::new(2);
    let limits = limits(&[Quota::per_second(1)]);
    for (number, time) in [(1, 0), (2, 500_000_000)] {
        store.set_time(time);
        assert!(store.decide(&key(number), &limits, 1).admitted);
    }
    store.set_time(1_000_000_000);
    assert!(store.decide(&key(3), &limits, 1).admitted);
    assert_eq!((store.keys(), store.evicted(), store.overflowed()), (2, 1, 0));
}

#[test]
fn who_has_a_bucket_is_not_counted_among_those_who_share_one() {
    let store = ByHand::new(1);
    let limits = limits(&[Quota::per_hour(10)]);
    assert!(store.decide(&key(1), &limits, 1).admitted);
    assert!(store.decide(&key(2), &limits, 1).admitted);
    assert_eq!(store.overflowed(), 1);
    assert!(store.decide(&key(1), &limits, 1).admitted);
    assert_eq!((store.keys(), store.overflowed()), (1, 1));
}

#[test]
fn a_request_that_takes_nothing_leaves_no_bucket() {
    let store = ByHand::new(10);
    let limits = limits(&[Quota::per_hour(10)]);
    let verdict = store.decide(&key(1), &limits, 0);
    assert!(verdict.admitted && verdict.readings[0].remaining == 10);
    assert_eq!(store.keys(), 0);
}
