use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::key::KeyBytes;

const SHARDS: usize = 16;

/// How many permits each key has out. A key that has none is not kept, so the keys are as many as there are requests
/// under way at most. They are known by 128 bits of keyed hashes: what a client writes into a header is not kept.
#[derive(Debug)]
pub(super) struct Permits {
    shards: [Mutex<Out>; SHARDS],
    hashers: [RandomState; 2],
    most: u32,
}

type Out = HashMap<Fingerprint, u32>;
type Fingerprint = [u64; 2];

/// One request that is under way. Dropped, it makes room for the next.
#[derive(Debug)]
pub(super) struct Permit {
    permits: Arc<Permits>,
    key: Fingerprint,
}

impl Permits {
    pub(super) fn new(most: u32) -> Self {
        Self { shards: Default::default(), hashers: [RandomState::new(), RandomState::new()], most }
    }

    fn shard(&self, key: Fingerprint) -> MutexGuard<'_, Out> {
        self.shards[key[0] as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(permits: &Arc<Self>, key: &KeyBytes) -> Option<Permit> {
        let key = [0, 1].map(|i| permits.hashers[i].hash_one(key.as_slice()));
        let mut shard = permits.shard(key);
        let out = shard.get(&key).copied().unwrap_or_default();
        if out >= permits.most {
            return None;
        }
        shard.insert(key, out + 1);
        drop(shard);
        Some(Permit { permits: Arc::clone(permits), key })
    }

    pub(super) fn under_way(&self) -> usize {
        let shards = self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
        shards.map(|shard| shard.values().map(|out| *out as usize).sum::<usize>()).sum()
    }
}

#[cfg(test)]
impl Permits {
    /// How many keys are known.
    pub(super) fn keys(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().expect("is not poisoned").len()).sum()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut shard = self.permits.shard(self.key);
        match shard.get_mut(&self.key) {
            Some(out) if *out > 1 => *out -= 1,
            _ => drop(shard.remove(&self.key)),
        }
    }
}
