use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use smallvec::SmallVec;

use super::{
    buckets::{Buckets, Fingerprint},
    clock::Clock,
};
use crate::{
    gcra::{FullAt, Over},
    key::KeyBytes,
    limits::{Limit, Limits},
    verdict::Verdict,
};

/// Buckets in this process.
///
/// All its clones are the same buckets. Hand one to several layers and they share them, as far as their limits have
/// the same name and the same quota; hand one to the layer that takes another's place, after a reload say, and no
/// bucket is refilled by that.
///
/// 1. A bucket needs 33 bytes, and none a key: a key is kept as a fingerprint, keyed by a secret of the process.
/// 2. There are at most [`max_keys`](LocalStore::max_keys) buckets, one a key and limit. The memory that they take is
///    bounded by that: at most some 40 MiB for the default of a million.
/// 3. Only full buckets are evicted, which takes nothing from anybody: an absent bucket is a full one.
/// 4. When a shard has no room and no full bucket, the new keys that fall into it share one overflow bucket a limit.
///    This is warned of by `tracing`, at most once in ten seconds, and counted in
///    [`overflowed`](LocalStore::overflowed).
///
/// ```
/// use gatewright_rate_limit::{Key, LocalStore, Quota, RateLimitLayer};
///
/// let store = LocalStore::new().max_keys(50_000);
/// let layer = RateLimitLayer::new(Quota::per_second(50)).key(Key::client_ip()).store(store.clone());
/// assert_eq!(store.keys(), 0);
/// # let _ = layer;
/// ```
#[derive(Clone)]
pub struct LocalStore(Arc<Inner>);

struct Inner {
    shards: Box<[Mutex<Buckets>]>,
    overflowed: AtomicU64,
    warned: AtomicU64,
    hashers: [RandomState; 2],
    clock: Clock,
    max_keys: usize,
}

const DEFAULT_MAX_KEYS: usize = 1_000_000;
/// What fits into a table of 4,096 slots. A shard that size is searched for full buckets in some microseconds.
const MOST_IN_A_SHARD: usize = 3_584;
/// Below, a shard would soon be at its cap by chance, while others still have room.
const LEAST_IN_A_SHARD: usize = 512;
const WARNINGS_APART: u64 = 10_000_000_000;

impl LocalStore {
    /// An empty store for at most a million buckets.
    pub fn new() -> Self {
        Self::with(DEFAULT_MAX_KEYS, Clock::start())
    }

    /// Sets how many buckets there may be, one for each key and limit, and empties the store. The cap is divided
    /// among shards by chance, so that the first of them may be at its own when some 90 % of it are reached.
    #[must_use]
    pub fn max_keys(self, most: usize) -> Self {
        Self::with(most.max(1), self.0.clock.clone())
    }

    /// Sets the clock by which buckets fill up again, and empties the store. It is the system's by default, which steps of
    /// the time of day do not move.
    #[must_use]
    pub fn clock(self, clock: gatewright_core::Clock) -> Self {
        Self::with(self.0.max_keys, Clock::of(clock))
    }

    fn with(max_keys: usize, clock: Clock) -> Self {
        let for_size = max_keys.div_ceil(MOST_IN_A_SHARD);
        let for_cores = (max_keys / LEAST_IN_A_SHARD).clamp(1, 16);
        let shards = for_size.max(for_cores);
        let cap = max_keys.div_ceil(shards);
        Self(Arc::new(Inner {
            shards: (0..shards).map(|_| Mutex::new(Buckets::new(cap))).collect(),
            overflowed: AtomicU64::new(0),
            warned: AtomicU64::new(0),
            hashers: [RandomState::new(), RandomState::new()],
            clock,
            max_keys,
        }))
    }

    /// How many buckets there are.
    pub fn keys(&self) -> usize {
        self.0.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// How many full buckets have been evicted.
    pub fn evicted(&self) -> u64 {
        self.0.shards.iter().map(|shard| lock(shard).evicted()).sum()
    }

    /// How many requests have been decided by what an overflow bucket held.
    pub fn overflowed(&self) -> u64 {
        self.0.overflowed.load(Ordering::Relaxed)
    }

    /// Decides a request: all limits have room for it and it is taken from each, or it is taken from none.
    pub(crate) fn decide(&self, key: &KeyBytes, limits: &Limits, cost: u32) -> Verdict {
        let store = &*self.0;
        let hashes = store.hash(key);
        let fingerprint = |limit: &Limit| fingerprint(hashes, limit);
        let mut shard = store.shard(hashes);
        let now = store.clock.now();

        let own: SmallVec<[Option<FullAt>; 2]> =
            limits.iter().map(|limit| shard.get(fingerprint(limit))).collect();
        let new = own.iter().filter(|bucket| bucket.is_none()).count();
        // The key's own full buckets make room too, and are put back below.
        let returning = own.iter().flatten().filter(|bucket| bucket.is_full(now)).count();
        let has_room = new == 0 || shard.make_room(new, returning, now);
        let shares = new > 0 && (!has_room || shard.overflow.is_in_use(now));
        let held = limits.iter().zip(&own).map(|(limit, bucket)| match bucket {
            Some(bucket) => *bucket,
            None if shares => shard.overflow.get(limit.id),
            None => FullAt::default(),
        });
        let decision = Decision::new(held, limits, cost, now);
        if decision.is_admitted() {
            for ((limit, own), bucket) in limits.iter().zip(&own).zip(&decision.after) {
                match own {
                    // A full bucket need not be kept.
                    _ if bucket.is_full(now) => {}
                    None if !has_room => shard.overflow.put(limit.id, *bucket, now),
                    _ => shard.put(fingerprint(limit), *bucket),
                }
            }
        }
        drop(shard);
        if shares {
            store.tell_of_overflow(now);
        }
        decision.verdict(limits, now)
    }

    /// Gives back what a request has taken that was refused in the end. What an overflow bucket gave stays taken.
    pub(crate) fn give_back(&self, key: &KeyBytes, limits: &Limits, cost: u32) {
        let hashes = self.0.hash(key);
        let mut shard = self.0.shard(hashes);
        for limit in limits.iter() {
            if let Some(bucket) = shard.get(fingerprint(hashes, limit)) {
                shard.put(fingerprint(hashes, limit), limit.rate.give_back(bucket, cost));
            }
        }
    }
}

fn fingerprint(hashes: [u64; 2], limit: &Limit) -> Fingerprint {
    Fingerprint([hashes[0] ^ limit.id, hashes[1]])
}

impl Inner {
    fn hash(&self, key: &KeyBytes) -> [u64; 2] {
        [&self.hashers[0], &self.hashers[1]].map(|hasher| hasher.hash_one(key.as_slice()))
    }

    /// All buckets of a key are in one shard. The high bits choose it; its table takes the other hash.
    fn shard(&self, hashes: [u64; 2]) -> MutexGuard<'_, Buckets> {
        let shard = (u128::from(hashes[1]) * self.shards.len() as u128) >> 64;
        lock(&self.shards[shard as usize])
    }

    #[cold]
    fn tell_of_overflow(&self, now: u64) {
        let overflowed = self.overflowed.fetch_add(1, Ordering::Relaxed) + 1;
        let due = self.warned.load(Ordering::Relaxed);
        let next = now.saturating_add(WARNINGS_APART);
        if due <= now && self.warned.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            tracing::warn!(
                overflowed,
                "a store of rate limits is at its cap and no bucket is full: new keys share one"
            );
        }
    }
}

/// What a request would leave in each bucket, as long as it fits.
struct Decision {
    held: SmallVec<[FullAt; 2]>,
    after: SmallVec<[FullAt; 2]>,
    over: Option<Over>,
}

impl Decision {
    fn new(held: impl Iterator<Item = FullAt>, limits: &Limits, cost: u32, now: u64) -> Self {
        let held: SmallVec<[FullAt; 2]> = held.collect();
        let mut after = SmallVec::new();
        let mut over: Option<Over> = None;
        for (limit, bucket) in limits.iter().zip(&held) {
            match limit.rate.take(*bucket, now, cost) {
                Ok(bucket) => after.push(bucket),
                Err(this) => over = Some(over.map_or(this, |other| other.longer(this))),
            }
        }
        Self { held, after, over }
    }

    fn is_admitted(&self) -> bool {
        self.over.is_none()
    }

    fn verdict(&self, limits: &Limits, now: u64) -> Verdict {
        let buckets = if self.is_admitted() { &self.after } else { &self.held };
        Verdict {
            admitted: self.is_admitted(),
            wait: self.over.and_then(|over| over.wait),
            readings: limits.iter().zip(buckets).map(|(limit, bucket)| limit.rate.read(*bucket, now)).collect(),
        }
    }
}

fn lock(shard: &Mutex<Buckets>) -> MutexGuard<'_, Buckets> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for LocalStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStore")
            .field("keys", &self.keys())
            .field("overflowed", &self.overflowed())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
