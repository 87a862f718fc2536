//! A bounded cache of verified tokens.
//!
//! Invariants:
//!
//! 1. A token belongs to one set of four slots, chosen by its hash, and occupies at most one slot of it as far as
//!    one thread inserts it. Two threads that insert the same token at once may occupy two slots with equal
//!    results.
//! 2. The key of an entry is a keyed hash of the whole token, compared in constant time. The hash's key is random
//!    and never leaves the process.
//! 3. Only callers insert, and only tokens that they have verified. Forged tokens therefore displace nothing.
//! 4. The cache never decides whether an entry is still valid. Each reader checks the entry against its own clock
//!    and keys.
//! 5. The number of slots is fixed when the first token is inserted. A full set gives up a stale entry first, and
//!    otherwise an entry chosen by the new token's hash. A token that was displaced is verified again; nothing else
//!    happens.
//! 6. Reading takes no lock and allocates nothing.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use arc_swap::ArcSwapOption;
use gatewright_core::Counter;

use crate::digest::Digest;

/// Of all caches of the process.
static HITS: Counter = Counter::new();
static MISSES: Counter = Counter::new();

/// How often a token was found among those that have been verified already, and how often it was not, over all caches of
/// the process.
pub fn token_cache_hits_and_misses() -> (u64, u64) {
    (HITS.get(), MISSES.get())
}

/// The number of slots in one set.
const WAYS: usize = 4;

/// Values by token. A value is found by a keyed hash of the whole token, so that no two tokens share a value, and
/// the memory holds no token in clear.
pub(crate) struct TokenCache<T> {
    key: [u8; 32],
    capacity: usize,
    slots: OnceLock<Box<[Slot<T>]>>,
}

type Slot<T> = ArcSwapOption<Entry<T>>;

struct Entry<T> {
    token: Digest,
    value: T,
}

impl<T> TokenCache<T> {
    /// Makes room for this many tokens, rounded up to a power of two. With 0, nothing is remembered.
    pub(crate) fn new(capacity: usize) -> Self {
        let mut key = [0; 32];
        // Without randomness, the hash is still collision resistant.
        let _ = aws_lc_rs::rand::fill(&mut key);
        let capacity = if capacity == 0 { 0 } else { capacity.clamp(WAYS, 1 << 24).next_power_of_two() };
        Self { key, capacity, slots: OnceLock::new() }
    }

    /// An empty cache of the same size.
    pub(crate) fn emptied(&self) -> Self {
        Self { key: self.key, capacity: self.capacity, slots: OnceLock::new() }
    }

    pub(crate) fn hash(&self, token: &str) -> Digest {
        Digest::new(*blake3::keyed_hash(&self.key, token.as_bytes()).as_bytes())
    }

    /// Applies `read` to the value of a token. It counts as a hit when `read` can use the value.
    pub(crate) fn get<R>(&self, token: Digest, read: impl FnOnce(&T) -> Option<R>) -> Option<R> {
        let found = self.find(token, read);
        if self.capacity > 0 {
            if found.is_some() { HITS.add_one() } else { MISSES.add_one() }
        }
        found
    }

    /// The same, without a count.
    pub(crate) fn find<R>(&self, token: Digest, read: impl FnOnce(&T) -> Option<R>) -> Option<R> {
        let entry = self
            .set(token)?
            .iter()
            .map(Slot::load)
            .find(|entry| entry.as_ref().is_some_and(|entry| entry.token == token));
        entry.and_then(|entry| entry.as_ref().and_then(|entry| read(&entry.value)))
    }

    /// Remembers a token. It replaces a stale entry if there is one.
    pub(crate) fn insert(&self, token: Digest, value: T, is_stale: impl Fn(&T) -> bool) {
        if self.capacity == 0 {
            return;
        }
        self.slots.get_or_init(|| (0..self.capacity).map(|_| Slot::empty()).collect());
        let Some(set) = self.set(token) else { return };
        let held = |fits: &dyn Fn(&Entry<T>) -> bool| {
            set.iter().position(|slot| slot.load().as_ref().is_none_or(|entry| fits(entry)))
        };
        let place = set
            .iter()
            .position(|slot| slot.load().as_ref().is_some_and(|entry| entry.token == token))
            .or_else(|| held(&|entry| is_stale(&entry.value)))
            .unwrap_or((token.number() >> 32) as usize % WAYS);
        set[place].store(Some(Arc::new(Entry { token, value })));
    }

    fn set(&self, token: Digest) -> Option<&[Slot<T>]> {
        let slots = self.slots.get()?;
        let sets = slots.len() / WAYS;
        let first = (token.number() as usize & (sets - 1)) * WAYS;
        slots.get(first..first + WAYS)
    }
}

impl<T> fmt::Debug for TokenCache<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(cache: &TokenCache<u32>, token: &str) -> Option<u32> {
        cache.get(cache.hash(token), |value| Some(*value))
    }

    #[test]
    fn what_is_remembered_is_found_and_nothing_else() {
        let cache = TokenCache::new(1000);
        assert_eq!(held(&cache, "a"), None);
        cache.insert(cache.hash("a"), 1, |_| false);
        cache.insert(cache.hash("b"), 2, |_| false);
        cache.insert(cache.hash("a"), 3, |_| false);
        assert_eq!([held(&cache, "a"), held(&cache, "b"), held(&cache, "c")], [Some(3), Some(2), None]);
        assert_eq!(held(&cache.emptied(), "a"), None);
    }

    #[test]
    fn the_size_is_bounded_and_what_is_stale_gives_way_first() {
        let cache = TokenCache::new(4);
        for number in 0..4 {
            cache.insert(cache.hash(&number.to_string()), number, |_| false);
        }
        cache.insert(cache.hash("new"), 100, |value| *value == 2);
        let all: Vec<_> = (0..4).map(|number| held(&cache, &number.to_string())).collect();
        assert_eq!(all, [Some(0), Some(1), None, Some(3)]);
        for number in 5..1000 {
            cache.insert(cache.hash(&number.to_string()), number, |_| false);
        }
        assert_eq!((0..1000).filter(|number| held(&cache, &number.to_string()).is_some()).count(), 4);
    }

    #[test]
    fn without_room_nothing_is_remembered() {
        let cache = TokenCache::new(0);
        cache.insert(cache.hash("a"), 1, |_| false);
        assert_eq!(held(&cache, "a"), None);
    }
}
