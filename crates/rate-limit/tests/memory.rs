//! What many keys need. By itself in its binary, since it counts what the whole process allocates.
#![allow(unsafe_code, reason = "an allocator that counts has to pass on what is unsafe")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use gatewright_core::{Decision, Policy};
use gatewright_rate_limit::{Key, LocalStore, Quota, RateLimitLayer};
use http::{Request, request::Parts};

struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it hands everything to the system's allocator as it is, and counts beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let in_use = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(in_use, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A million keys when `GATEWRIGHT_SOAK=1` is set, a hundred thousand otherwise.
fn keys() -> usize {
    if std::env::var_os("GATEWRIGHT_SOAK").is_some() { 1_000_000 } else { 100_000 }
}

#[test]
fn however_many_keys_come_they_take_what_the_cap_allows_and_not_more() {
    for cap in [keys(), keys() / 10] {
        let store = LocalStore::new().max_keys(cap);
        let policy = RateLimitLayer::new(Quota::per_day(100))
            .key(Key::from_fn(|request: &Parts| request.extensions.get::<u64>().copied()))
            .store(store.clone())
            .into_policy();
        let mut request = Request::new(()).into_parts().0;
        let before = IN_USE.load(Ordering::Relaxed);
        MOST.store(before, Ordering::Relaxed);
        for number in 0..keys() as u64 {
            request.extensions.insert(number);
            if let Decision::Later(_) = policy.decide(&mut request) {
                panic!("a local store decides at once");
            }
        }
        let taken = MOST.load(Ordering::Relaxed) - before;
        println!("{} keys of {cap}: {} KiB, {} shared", store.keys(), taken / 1024, store.overflowed());
        assert!(store.keys() <= cap + cap / 100 && store.keys() >= cap * 95 / 100);
        assert_eq!(store.keys() as u64 + store.overflowed(), keys() as u64);
        assert_eq!(store.evicted(), 0, "none was full");
        // 64 MiB for a million.
        assert!(taken <= cap * 64 + (64 << 10), "{taken} bytes");
    }
}
