//! Random ids: unique, not secret.

use std::{cell::RefCell, hash::BuildHasher, hash::RandomState};

use fastrand::Rng;

thread_local! {
    // Two streams, so that ids of two threads or processes meet only when both meet. They are seeded from the
    // standard library's hash keys, which come from the operating system; fastrand's own seed is the clock.
    static STREAMS: RefCell<(Rng, Rng)> = {
        let keys = RandomState::new();
        RefCell::new((Rng::with_seed(keys.hash_one(0)), Rng::with_seed(keys.hash_one(1))))
    };
}

/// 128 random bits, never all zero.
pub(crate) fn id() -> u128 {
    STREAMS.with_borrow_mut(|(high, low)| u128::from(high.u64(..)) << 64 | u128::from(low.u64(1..)))
}

/// 64 random bits, never all zero.
pub(crate) fn short_id() -> u64 {
    STREAMS.with_borrow_mut(|(_, low)| low.u64(1..))
}

/// True for this share of the calls, from 0 to 1.
pub(crate) fn share(share: f64) -> bool {
    share >= 1.0 || STREAMS.with_borrow_mut(|(_, low)| low.f64()) < share
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use super::*;

    #[test]
    fn threads_make_different_ids() {
        let threads: Vec<_> =
            (0..8).map(|_| thread::spawn(|| (0..1000).map(|_| id()).collect::<Vec<_>>())).collect();
        let ids: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().expect("made ids")).collect();
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 8000);
    }
}
