//! One shard: a bounded table of buckets.
//!
//! A full bucket says nothing that its absence does not say, so it may go; any other stays. When the table is at its
//! cap, all full ones go at once. How soon the next will be full is remembered, so that a table without a full one
//! is not searched again before.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
};

use super::overflow::Overflow;
use crate::gcra::FullAt;

/// What stands for a key and a limit: 128 bits of keyed hashes. Two keys that share one are not to be expected, nor
/// to be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fingerprint(pub(super) [u64; 2]);

impl Hash for Fingerprint {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[0]);
    }
}

/// Takes a fingerprint for the hash that it is.
#[derive(Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[derive(Debug)]
pub(super) struct Buckets {
    table: HashMap<Fingerprint, FullAt, BuildHasherDefault<AsItIs>>,
    cap: usize,
    /// No bucket is full before.
    next_full: u64,
    evicted: u64,
    pub(super) overflow: Overflow,
}

impl Buckets {
    pub(super) fn new(cap: usize) -> Self {
        Self { table: HashMap::default(), cap, next_full: u64::MAX, evicted: 0, overflow: Overflow::default() }
    }

    pub(super) fn get(&self, fingerprint: Fingerprint) -> Option<FullAt> {
        self.table.get(&fingerprint).copied()
    }

    pub(super) fn put(&mut self, fingerprint: Fingerprint, bucket: FullAt) {
        self.next_full = self.next_full.min(bucket.nanos);
        self.table.insert(fingerprint, bucket);
    }

    /// Whether so many new buckets have room. Full ones make it, before the table grows and before it is at its cap. Of
    /// those in the table, `returning` full ones will be put back when they are evicted: their room is not to be given
    /// away.
    pub(super) fn make_room(&mut self, new: usize, returning: usize, now: u64) -> bool {
        if self.table.len() + new <= self.table.capacity().min(self.cap) {
            return true;
        }
        let evicted = self.evict_full(now);
        let returning = if evicted { returning } else { 0 };
        self.table.len() + new + returning <= self.cap
    }

    /// Evicts all full buckets; `false` when none can be full, so that nothing was looked at.
    fn evict_full(&mut self, now: u64) -> bool {
        if self.next_full > now {
            return false;
        }
        let before = self.table.len();
        let mut next_full = u64::MAX;
        self.table.retain(|_, bucket| {
            let stays = !bucket.is_full(now);
            if stays {
                next_full = next_full.min(bucket.nanos);
            }
            stays
        });
        // A bucket that is some n-ths of a nanosecond short of full is so at the next.
        self.next_full = if next_full == now { now + 1 } else { next_full };
        self.evicted += (before - self.table.len()) as u64;
        if self.table.len() < self.table.capacity() / 8 {
            self.table.shrink_to(self.table.len() * 2);
        }
        true
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_which_most_was_full_gives_room_back_and_keeps_some() {
        let mut buckets = Buckets::new(10_000);
        for number in 0..5_000 {
            let full_at = if number < 40 { 100 } else { 1 };
            buckets.put(Fingerprint([number, number]), FullAt::at(full_at));
        }
        let large = buckets.table.capacity();
        assert!(buckets.evict_full(10));
        assert_eq!((buckets.len(), buckets.evicted()), (40, 4_960));
        let left = buckets.table.capacity();
        assert!((80..large / 8).contains(&left), "{left} of {large}");
    }
}
