//! What clients and origins of one run share, and what they have found.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
    time::Instant,
};

use crate::exchange::Exchange;

/// One run.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) seed: u64,
    /// When no client begins another visit.
    pub(crate) until: Instant,
    found: Mutex<Found>,
    /// How often each request has come to its origin, while its client waits.
    arrivals: Mutex<HashMap<u64, u32>>,
}

#[derive(Debug, Default)]
struct Found {
    counts: BTreeMap<String, u64>,
    differences: BTreeMap<String, Vec<String>>,
}

/// The most differences of a kind that are kept to be printed.
const SHOWN: usize = 5;

impl World {
    pub(crate) fn new(seed: u64, until: Instant) -> Self {
        Self { seed, until, found: Mutex::default(), arrivals: Mutex::default() }
    }

    pub(crate) fn exchange(&self, number: u64) -> Exchange {
        Exchange::of(self.seed, number)
    }

    /// Counts something that may be.
    pub(crate) fn count(&self, what: &str) {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        match found.counts.get_mut(what) {
            Some(count) => *count += 1,
            None => _ = found.counts.insert(what.to_owned(), 1),
        }
    }

    pub(crate) fn counted(&self, what: &str) -> u64 {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).counts.get(what).copied().unwrap_or(0)
    }

    /// Notes what may not be. `kind` is what such differences are counted by.
    pub(crate) fn differs(&self, kind: &str, exchange: Option<&Exchange>, details: &str) {
        self.count(&format!("DIFFERENCE: {kind}"));
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let same = found.differences.entry(kind.to_owned()).or_default();
        if same.len() < SHOWN {
            same.push(format!("seed {}: {kind}: {details}\n    {exchange:?}", self.seed));
        }
    }

    /// Notes that a request has come to an origin; how often it had before.
    pub(crate) fn arrives(&self, number: u64) -> u32 {
        let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        let count = arrivals.entry(number).or_default();
        *count += 1;
        *count - 1
    }

    /// Forgets which requests have come, before they are sent again.
    pub(crate) fn forget_arrivals(&self) {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Prints what was counted; the differences, when there are any.
    pub(crate) fn report(&self) -> Option<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        for (what, count) in &found.counts {
            println!("{count:>9}  {what}");
        }
        let lines: Vec<_> = found.differences.values().flatten().map(String::as_str).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}
