//! The counts of the whole gateway.
//!
//! Each thread counts in a shard of its own as long as there are no more threads than shards, so that cores share no line
//! of memory. Whoever reads adds the shards up.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
};

use super::window::{Class, Counts, Ring};

/// How many shards there are; a power of two.
const SHARDS: usize = 8;

/// Windows of a second for a minute, and of ten seconds for ten minutes.
const SECONDS: usize = 61;
const TENS: usize = 61;
const TEN: u32 = 10;

/// Of 128 bytes, since processors fetch lines of memory in pairs.
#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    totals: [AtomicU64; Class::ALL.len()],
    seconds: Ring,
    tens: Ring,
}

/// The counts of the whole gateway.
#[derive(Debug)]
pub(crate) struct Totals(Box<[Shard]>);

thread_local! {
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

/// The shard of the thread that calls.
fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    SHARD.with(|shard| match shard.get() {
        Some(number) => number,
        None => {
            let number = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
            shard.set(Some(number));
            number
        }
    })
}

impl Default for Totals {
    fn default() -> Self {
        let shard = || Shard {
            totals: std::array::from_fn(|_| AtomicU64::new(0)),
            seconds: Ring::new(1, SECONDS),
            tens: Ring::new(TEN, TENS),
        };
        Self((0..SHARDS).map(|_| shard()).collect())
    }
}

impl Totals {
    #[inline]
    pub(super) fn add(&self, second: u32, class: Class, micros: Option<u64>) {
        let shard = &self.0[shard()];
        shard.totals[class as usize].fetch_add(1, Ordering::Relaxed);
        shard.seconds.add(second, class, micros);
        shard.tens.add(second, class, micros);
    }

    /// All requests since the beginning, by class.
    pub(crate) fn all(&self) -> [u64; Class::ALL.len()] {
        std::array::from_fn(|class| {
            self.0.iter().map(|shard| shard.totals[class].load(Ordering::Relaxed)).sum()
        })
    }

    /// The requests of one second of the last minute.
    pub(crate) fn second(&self, second: u32) -> Counts {
        let mut counts = Counts::default();
        self.0.iter().for_each(|shard| shard.seconds.read(second, &mut counts));
        counts
    }

    /// The requests of ten seconds of the last ten minutes; the number is that of the second divided by ten.
    pub(crate) fn ten_seconds(&self, number: u32) -> Counts {
        let mut counts = Counts::default();
        self.0.iter().for_each(|shard| shard.tens.read(number, &mut counts));
        counts
    }

    /// The last minute before this second.
    pub(crate) fn minute(&self, second: u32) -> Counts {
        let mut counts = Counts::default();
        for shard in &self.0 {
            (second.saturating_sub(60)..second).for_each(|second| shard.seconds.read(second, &mut counts));
        }
        counts
    }
}
