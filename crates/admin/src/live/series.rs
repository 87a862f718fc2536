//! The counts of one route or one upstream.

use std::sync::atomic::{AtomicU64, Ordering};

use gatewright_core::Label;

use super::{
    reasons::REASONS,
    window::{Class, Counts, Ring},
};

/// A minute of windows, about 4 KiB.
const WINDOW: u32 = 10;
const WINDOWS: usize = 6;

/// The counts of one name.
#[derive(Debug)]
pub(crate) struct Series {
    label: Label,
    totals: [AtomicU64; Class::ALL.len()],
    reasons: [AtomicU64; REASONS],
    ring: Ring,
}

impl Series {
    pub(super) fn new(label: Label) -> Self {
        Self {
            label,
            totals: std::array::from_fn(|_| AtomicU64::new(0)),
            reasons: std::array::from_fn(|_| AtomicU64::new(0)),
            ring: Ring::new(WINDOW, WINDOWS),
        }
    }

    #[inline]
    pub(super) fn add(&self, second: u32, class: Class, micros: Option<u64>) {
        self.totals[class as usize].fetch_add(1, Ordering::Relaxed);
        self.ring.add(second, class, micros);
    }

    pub(super) fn add_reason(&self, reason: usize) {
        if let Some(count) = self.reasons.get(reason) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The name, kept so that its number is nobody else's.
    pub(crate) fn label(&self) -> &Label {
        &self.label
    }

    /// All requests since the name was first seen, by class.
    pub(crate) fn totals(&self) -> [u64; Class::ALL.len()] {
        std::array::from_fn(|class| self.totals[class].load(Ordering::Relaxed))
    }

    /// The refusals by the numbers of their reasons, since the name was first seen.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = (usize, u64)> {
        self.reasons
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .enumerate()
            .filter(|(_, count)| *count > 0)
    }

    /// The last minute, up to this second, and how many seconds of it have passed.
    pub(crate) fn minute(&self, second: u32) -> (Counts, f64) {
        let mut counts = Counts::default();
        let last = second / WINDOW;
        let windows = last.saturating_sub(self.ring.len() - 1)..=last;
        windows.for_each(|number| self.ring.read(number, &mut counts));
        (counts, self.seconds(second))
    }

    /// The requests of the last minute by class, without their latencies.
    pub(crate) fn classes(&self, second: u32) -> ([u64; Class::ALL.len()], f64) {
        let mut classes = [0; Class::ALL.len()];
        let last = second / WINDOW;
        let windows = last.saturating_sub(self.ring.len() - 1)..=last;
        windows.for_each(|number| self.ring.read_classes(number, &mut classes));
        (classes, self.seconds(second))
    }

    /// How many seconds the windows of the last minute have seen.
    fn seconds(&self, second: u32) -> f64 {
        let last = second / self.ring.length();
        let first = last.saturating_sub(self.ring.len() - 1) * self.ring.length();
        f64::from((second + 1).saturating_sub(first).max(1))
    }
}
