//! A histogram of durations, of atomics alone.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, AtomicU64, Ordering, Ordering::Relaxed, fence},
    },
    time::Duration,
};

use gatewright_core::SpanContext;

/// Nanoseconds; the last bucket has no bound.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bounds(&'static [u64]);

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1000 * MILLISECOND;

/// What OpenTelemetry's semantic conventions advise for `http.server.request.duration`, so that the same query fits
/// what is pushed by OTLP.
pub(super) const REQUEST: Bounds = Bounds(&[
    5 * MILLISECOND,
    10 * MILLISECOND,
    25 * MILLISECOND,
    50 * MILLISECOND,
    75 * MILLISECOND,
    100 * MILLISECOND,
    250 * MILLISECOND,
    500 * MILLISECOND,
    750 * MILLISECOND,
    SECOND,
    2500 * MILLISECOND,
    5 * SECOND,
    7500 * MILLISECOND,
    10 * SECOND,
]);

/// The gateway's own share is tens of microseconds, and milliseconds only where a policy asks somebody else.
pub(super) const OWN: Bounds = Bounds(&[
    MILLISECOND / 20,
    MILLISECOND / 10,
    MILLISECOND / 4,
    MILLISECOND / 2,
    MILLISECOND,
    5 * MILLISECOND / 2,
    5 * MILLISECOND,
    10 * MILLISECOND,
    25 * MILLISECOND,
    50 * MILLISECOND,
    100 * MILLISECOND,
    250 * MILLISECOND,
    SECOND,
    5 * SECOND,
]);

/// Streams live from a second to a day.
pub(super) const LIFETIME: Bounds = Bounds(&[
    SECOND,
    5 * SECOND,
    30 * SECOND,
    60 * SECOND,
    5 * 60 * SECOND,
    15 * 60 * SECOND,
    3600 * SECOND,
    4 * 3600 * SECOND,
    24 * 3600 * SECOND,
]);

/// The most buckets, the one without a bound included.
const BUCKETS: usize = 15;

impl Bounds {
    fn bucket(&self, nanos: u64) -> usize {
        // A value that equals a bound belongs below it, as `le` says.
        self.0.iter().position(|bound| nanos <= *bound).unwrap_or(self.0.len())
    }

    /// The bounds in seconds.
    pub(super) fn seconds(&self) -> impl Iterator<Item = f64> {
        self.0.iter().map(|nanos| *nanos as f64 / 1e9)
    }
}

/// How long things took.
pub(super) struct Histogram {
    bounds: &'static Bounds,
    counts: [AtomicU64; BUCKETS],
    sum: AtomicU64,
    exemplars: OnceLock<Box<[Slot; BUCKETS]>>,
}

impl Histogram {
    pub(super) fn new(bounds: &'static Bounds) -> Self {
        let counts = std::array::from_fn(|_| AtomicU64::new(0));
        Self { bounds, counts, sum: AtomicU64::new(0), exemplars: OnceLock::new() }
    }

    /// Counts one, and gives its bucket.
    #[inline]
    pub(super) fn observe(&self, time: Duration) -> usize {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let bucket = self.bounds.bucket(nanos);
        self.counts[bucket].fetch_add(1, Relaxed);
        self.sum.fetch_add(nanos, Relaxed);
        bucket
    }

    /// Keeps an example of what a bucket holds, unless the bucket has a fresh one. `at` is the time since the metrics began.
    #[inline]
    pub(super) fn exemplify(&self, bucket: usize, span: SpanContext, value: Duration, at: Duration) {
        let slots = self.exemplars.get_or_init(|| Box::new(std::array::from_fn(|_| Slot::default())));
        slots[bucket].offer(span, value, at);
    }

    /// Adds what has been counted to a sum over threads.
    pub(super) fn add_to(&self, whole: &mut HistogramValue) {
        whole.bounds = self.bounds;
        for (sum, count) in whole.counts.iter_mut().zip(&self.counts) {
            *sum += count.load(Relaxed);
        }
        whole.sum_nanos += u128::from(self.sum.load(Relaxed));
        let Some(slots) = self.exemplars.get() else { return };
        for (bucket, slot) in slots.iter().enumerate() {
            let Some(exemplar) = slot.read() else { continue };
            let kept = whole.exemplars.iter_mut().find(|(kept, _)| *kept == bucket);
            match kept {
                Some((_, kept)) if kept.at < exemplar.at => *kept = exemplar,
                Some(_) => {}
                None => whole.exemplars.push((bucket, exemplar)),
            }
        }
    }
}

/// What a histogram has counted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct HistogramValue {
    bounds: &'static Bounds,
    counts: [u64; BUCKETS],
    sum_nanos: u128,
    exemplars: Vec<(usize, Exemplar)>,
}

/// A request that fell into a bucket.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Exemplar {
    pub(super) trace_id: u128,
    pub(super) span_id: u64,
    pub(super) value: Duration,
    /// Since the metrics began.
    pub(super) at: Duration,
}

impl HistogramValue {
    pub(super) fn empty() -> Self {
        Self { bounds: &REQUEST, counts: [0; BUCKETS], sum_nanos: 0, exemplars: Vec::new() }
    }

    pub(super) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum_nanos as f64 / 1e9
    }

    /// Each bucket: its bound in seconds, how many are at or below it, and an example.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (f64, u64, Option<&Exemplar>)> {
        let mut below = 0;
        let bounds = self.bounds.seconds().chain([f64::INFINITY]);
        bounds.zip(self.counts).enumerate().map(move |(bucket, (bound, count))| {
            below += count;
            let exemplar = self.exemplars.iter().find(|(of, _)| *of == bucket);
            (bound, below, exemplar.map(|(_, exemplar)| exemplar))
        })
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.bounds == other.bounds {
            self.counts.iter_mut().zip(other.counts).for_each(|(sum, count)| *sum += count);
            self.sum_nanos += other.sum_nanos;
        }
    }
}

/// How long an exemplar stays before another takes its place.
const FRESH: u64 = SECOND;

/// An exemplar that one thread may write while another reads.
///
/// 1. `turn` is odd while somebody writes. Whoever makes it odd is the only writer.
/// 2. What a reader has read is whole if `turn` was even and is the same after as before.
/// 3. `turn` is 0 until something has been written.
#[derive(Default)]
struct Slot {
    turn: AtomicU32,
    trace_id: [AtomicU64; 2],
    span_id: AtomicU64,
    value: AtomicU64,
    at: AtomicU64,
}

impl Slot {
    fn offer(&self, span: SpanContext, value: Duration, at: Duration) {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let turn = self.turn.load(Relaxed);
        let is_fresh = turn != 0 && nanos(at) < self.at.load(Relaxed).saturating_add(FRESH);
        if is_fresh || !turn.is_multiple_of(2) {
            return;
        }
        let writing = turn.wrapping_add(1);
        if self.turn.compare_exchange(turn, writing, Ordering::Acquire, Relaxed).is_err() {
            return;
        }
        // No reader may see what follows and not that it is being written.
        fence(Ordering::Release);
        let trace_id = span.trace_id();
        self.trace_id[0].store((trace_id >> 64) as u64, Relaxed);
        self.trace_id[1].store(trace_id as u64, Relaxed);
        self.span_id.store(span.span_id(), Relaxed);
        self.value.store(nanos(value), Relaxed);
        self.at.store(nanos(at), Relaxed);
        self.turn.store(turn.wrapping_add(2), Ordering::Release);
    }

    /// `None` when there is none, or when it is being written.
    fn read(&self) -> Option<Exemplar> {
        let before = self.turn.load(Ordering::Acquire);
        let [high, low] = [&self.trace_id[0], &self.trace_id[1]].map(|half| u128::from(half.load(Relaxed)));
        let exemplar = Exemplar {
            trace_id: high << 64 | low,
            span_id: self.span_id.load(Relaxed),
            value: Duration::from_nanos(self.value.load(Relaxed)),
            at: Duration::from_nanos(self.at.load(Relaxed)),
        };
        fence(Ordering::Acquire);
        let after = self.turn.load(Relaxed);
        (before != 0 && before.is_multiple_of(2) && before == after).then_some(exemplar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(histogram: &Histogram) -> HistogramValue {
        let mut value = HistogramValue::empty();
        histogram.add_to(&mut value);
        value
    }

    #[test]
    fn a_value_at_a_bound_belongs_below_it() {
        let histogram = Histogram::new(&REQUEST);
        for micros in [0, 5000, 5001, 10_000_000, 10_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let value = of(&histogram);
        let buckets: Vec<_> = value.buckets().map(|(bound, below, _)| (bound, below)).collect();
        assert_eq!(buckets.len(), 15);
        assert_eq!((buckets[0], buckets[1]), ((0.005, 2), (0.01, 3)));
        assert_eq!((buckets[13], buckets[14]), ((10.0, 4), (f64::INFINITY, 5)));
        assert_eq!(value.count(), 5);
        assert!((value.sum() - 20.010_002).abs() < 1e-9, "{}", value.sum());
    }

    #[test]
    fn bounds_rise_and_fit() {
        for bounds in [&REQUEST, &OWN, &LIFETIME] {
            assert!(bounds.0.len() < BUCKETS && bounds.0.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn a_bucket_keeps_one_exemplar_until_it_is_old() {
        let histogram = Histogram::new(&REQUEST);
        let span = |id| SpanContext::new(id, 7, None, SpanContext::SAMPLED);
        let time = Duration::from_millis(20);
        for (id, at) in [(1, 0), (2, 999), (3, 1000), (4, 1500)] {
            histogram.exemplify(2, span(id << 70 | id), time, Duration::from_millis(at));
        }
        let value = of(&histogram);
        let exemplars: Vec<_> =
            value.buckets().filter_map(|(bound, _, exemplar)| Some((bound, *exemplar?))).collect();
        let at = Duration::from_millis(1000);
        assert_eq!(exemplars, [(0.025, Exemplar { trace_id: 3 << 70 | 3, span_id: 7, value: time, at })]);
    }

    #[test]
    fn an_exemplar_that_is_read_while_it_is_written_is_whole() {
        let slot = Slot::default();
        std::thread::scope(|scope| {
            let writers: Vec<_> = (1..3_u64)
                .map(|writer| {
                    let slot = &slot;
                    scope.spawn(move || {
                        for turn in 0..20_000_u64 {
                            let number = turn * 2 + writer;
                            let id = u128::from(number) << 64 | u128::from(number);
                            let span = SpanContext::new(id, number, None, 1);
                            let at = Duration::from_nanos(number).saturating_add(Duration::from_secs(turn * 2));
                            slot.offer(span, Duration::from_nanos(number), at);
                        }
                    })
                })
                .collect();
            let mut seen = 0;
            while writers.iter().any(|writer| !writer.is_finished()) {
                let Some(read) = slot.read() else { continue };
                let number = read.span_id;
                assert_eq!(read.trace_id, u128::from(number) << 64 | u128::from(number));
                assert_eq!(read.value.as_nanos(), u128::from(number));
                seen += 1;
            }
            assert!(seen > 0 || slot.read().is_some());
        });
    }
}
