//! What is counted stands apart for each thread, so that no two cores write to one place.

use std::{
    cell::Cell,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// More cores than this share shards: each shard costs memory for each route.
const MOST: usize = 8;

/// One value for each thread that serves, up to a number; more threads share them. A value is made at its first use.
pub(super) struct Shards<T>(Box<[OnceLock<Box<T>>]>);

impl<T> Shards<T> {
    pub(super) fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, Into::into);
        Self((0..cores.min(MOST)).map(|_| OnceLock::new()).collect())
    }

    /// That of the calling thread.
    #[inline]
    pub(super) fn mine(&self, make: impl FnOnce() -> T) -> &T {
        // There is one shard at least, since there is one core at least.
        let shard = &self.0[thread_number() % self.0.len()];
        shard.get_or_init(|| Box::new(make()))
    }

    /// Those that have been used.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> + Clone {
        self.0.iter().filter_map(|shard| shard.get().map(|shard| &**shard))
    }
}

/// Numbers the threads in the order of their first request.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: Cell<Option<usize>> = const { Cell::new(None) });
    NUMBER.get().unwrap_or_else(|| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(Some(number));
        number
    })
}
