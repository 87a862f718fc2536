//! A counter that many threads write to.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

const PARTS: usize = 8;

/// A count that only grows. Each thread adds to a part of it that lies in a cache line of its own, so that adding costs the
/// same on one core and on many. Reading adds the parts up.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Counter([Part; PARTS]);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Part(AtomicU64);

impl Counter {
    /// A counter at zero.
    pub const fn new() -> Self {
        Self([const { Part(AtomicU64::new(0)) }; PARTS])
    }

    /// Counts one.
    #[inline]
    pub fn add_one(&self) {
        self.0[thread_number() % PARTS].0.fetch_add(1, Relaxed);
    }

    /// The count so far.
    pub fn get(&self) -> u64 {
        self.0.iter().map(|part| part.0.load(Relaxed)).sum()
    }
}

/// Numbers the threads in the order of their first count.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static NUMBER: Cell<Option<usize>> = const { Cell::new(None) });
    NUMBER.get().unwrap_or_else(|| {
        let number = NEXT.fetch_add(1, Relaxed);
        NUMBER.set(Some(number));
        number
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_lose_no_count() {
        static COUNTER: Counter = Counter::new();
        std::thread::scope(|scope| {
            for _ in 0..2 * PARTS {
                scope.spawn(|| (0..500).for_each(|_| COUNTER.add_one()));
            }
        });
        assert_eq!(COUNTER.get(), 500 * 2 * PARTS as u64);
    }
}
