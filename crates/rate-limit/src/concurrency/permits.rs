use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::key::KeyBytes;

const SHARDS: usize = 16;

/// How many permits each key has out. A key that has none is not kept, so the keys are as many as there are requests
/// under way at most.
#[derive(Debug)]
pub(super) struct Permits {
    shards: [Mutex<HashMap<KeyBytes, u32>>; SHARDS],
    hasher: RandomState,
    most: u32,
}

/// One request that is under way. Dropped, it makes room for the next.
#[derive(Debug)]
pub(super) struct Permit {
    permits: Arc<Permits>,
    key: KeyBytes,
}

impl Permits {
    pub(super) fn new(most: u32) -> Self {
        Self { shards: Default::default(), hasher: RandomState::new(), most }
    }

    fn shard(&self, key: &KeyBytes) -> MutexGuard<'_, HashMap<KeyBytes, u32>> {
        let hash = self.hasher.hash_one(key.as_slice());
        self.shards[hash as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take(permits: &Arc<Self>, key: KeyBytes) -> Option<Permit> {
        let mut shard = permits.shard(&key);
        match shard.get_mut(&key) {
            Some(out) if *out >= permits.most => return None,
            Some(out) => *out += 1,
            None if permits.most == 0 => return None,
            None => drop(shard.insert(key.clone(), 1)),
        }
        drop(shard);
        Some(Permit { permits: Arc::clone(permits), key })
    }

    pub(super) fn under_way(&self) -> usize {
        let shards = self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner));
        shards.map(|shard| shard.values().map(|out| *out as usize).sum::<usize>()).sum()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut shard = self.permits.shard(&self.key);
        match shard.get_mut(&self.key) {
            Some(out) if *out > 1 => *out -= 1,
            _ => drop(shard.remove(&self.key)),
        }
    }
}
