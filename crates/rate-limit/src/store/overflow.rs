//! The buckets that new keys share while their shard has no room for their own.
//!
//! There is one a limit. It has seen all that any of those keys has taken, so that it never holds more than the key's
//! own would. A key that gets its own bucket while the shared one is not full yet begins with what that one holds:
//! it may be one of those that drew from it.

use std::collections::HashMap;

use crate::gcra::FullAt;

/// Beyond so many limits, the full ones go. Limits come and go with configurations only.
const MANY: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Overflow {
    buckets: HashMap<u64, FullAt>,
    /// All of them are full from here on.
    all_full: u64,
}

impl Overflow {
    /// Whether any bucket is not full.
    pub(super) fn is_in_use(&self, now: u64) -> bool {
        self.all_full > now
    }

    /// The bucket of a limit.
    pub(super) fn get(&self, limit: u64) -> FullAt {
        self.buckets.get(&limit).copied().unwrap_or_default()
    }

    pub(super) fn put(&mut self, limit: u64, bucket: FullAt, now: u64) {
        if self.buckets.len() >= MANY {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        self.buckets.insert(limit, bucket);
        self.all_full = self.all_full.max(bucket.nanos.saturating_add(1));
    }
}
