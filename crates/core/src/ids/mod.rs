//! Random ids: unique, not secret.

mod hex;

use std::{cell::RefCell, hash::BuildHasher, hash::RandomState};

use bytes::Bytes;
use fastrand::Rng;
use http::HeaderValue;

pub use hex::{Hex, parse};

thread_local! {
    // Two streams, so that ids of two threads or processes meet only when both meet. They are seeded from the
    // standard library's hash keys, which come from the operating system; fastrand's own seed is the clock.
    static STREAMS: RefCell<(Rng, Rng)> = {
        let keys = RandomState::new();
        RefCell::new((Rng::with_seed(keys.hash_one(0)), Rng::with_seed(keys.hash_one(1))))
    };
}

/// 128 random bits, never all zero.
pub fn id() -> u128 {
    STREAMS.with_borrow_mut(|(high, low)| u128::from(high.u64(..)) << 64 | u128::from(low.u64(1..)))
}

/// 64 random bits, never all zero.
pub fn short_id() -> u64 {
    STREAMS.with_borrow_mut(|(_, low)| low.u64(1..))
}

/// True for this share of the calls, from 0 to 1.
pub fn share(share: f64) -> bool {
    share >= 1.0 || STREAMS.with_borrow_mut(|(_, low)| low.f64()) < share
}

/// A new value of `x-request-id`: 32 hex digits.
pub fn request_id() -> HeaderValue {
    // The bytes are shared from the start: the request, the record and the response each hold them, and bytes made of
    // a `Vec` would allocate once more at the first clone.
    let id = Bytes::from_owner(Hex::<32>::new(id()));
    HeaderValue::from_maybe_shared(id).unwrap_or_else(|_| HeaderValue::from_static("-"))
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
        assert_ne!(request_id(), request_id());
    }
}
