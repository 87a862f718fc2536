//! Values on their way to a scraper.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use gatewright_core::Label;

use super::histogram::HistogramValue;

/// What a family of metrics is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// A count that only grows; its name ends in `_total`.
    Counter,
    /// A value that rises and falls.
    Gauge,
    /// A distribution.
    Histogram,
}

/// Takes the values of a [source](super::Metrics::source) when somebody reads the metrics.
///
/// 1. A name has letters, digits and `_`, and does not begin with a digit; a label's name is the same. What has another
///    name is left out.
/// 2. The first value of a name says what kind its family is, and which help it has. Values of another kind are left out.
/// 3. Counters and histograms with the same labels are added up. Of gauges with the same labels the last one counts.
pub struct Samples {
    families: BTreeMap<Cow<'static, str>, Family>,
    /// How many more are taken.
    room: usize,
    left_out: u64,
}

#[derive(Debug)]
pub(super) struct Family {
    pub(super) help: Cow<'static, str>,
    pub(super) kind: MetricKind,
    pub(super) samples: Vec<Sample>,
}

#[derive(Debug)]
pub(super) struct Sample {
    pub(super) labels: Labels,
    pub(super) value: Value,
}

pub(super) type Labels = Vec<(Cow<'static, str>, Text)>;

/// The value of a label.
#[derive(Debug, Clone)]
pub(super) enum Text {
    Static(&'static str),
    Label(Label),
    Owned(Box<str>),
    Number(u16),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Count(u64),
    /// Of a counter of seconds.
    Seconds(f64),
    Gauge(f64),
    /// A part of a gauge, to be added up.
    Sum(i64),
    Histogram(Box<HistogramValue>),
}

impl Text {
    pub(super) fn with<T>(&self, read: impl FnOnce(&str) -> T) -> T {
        match self {
            Self::Static(text) => read(text),
            Self::Label(label) => read(label),
            Self::Owned(text) => read(text),
            Self::Number(number) => read(&number.to_string()),
        }
    }
}

impl Value {
    fn kind(&self) -> MetricKind {
        match self {
            Self::Count(_) | Self::Seconds(_) => MetricKind::Counter,
            Self::Gauge(_) | Self::Sum(_) => MetricKind::Gauge,
            Self::Histogram(_) => MetricKind::Histogram,
        }
    }

    fn merge(&mut self, other: Self) {
        match (self, other) {
            (Self::Count(sum), Self::Count(count)) => *sum = sum.wrapping_add(count),
            (Self::Seconds(sum), Self::Seconds(seconds)) => *sum += seconds,
            (Self::Sum(sum), Self::Sum(part)) => *sum += part,
            (Self::Histogram(sum), Self::Histogram(other)) => sum.merge(&other),
            (value, other) => *value = other,
        }
    }
}

impl Samples {
    pub(super) fn new(room: usize) -> Self {
        Self { families: BTreeMap::new(), room, left_out: 0 }
    }

    /// Gives a counter. `name` ends in `_total`.
    pub fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: u64) {
        self.give(name, help, labels, Value::Count(value));
    }

    /// Gives a counter of seconds. `name` ends in `_seconds_total`.
    pub fn seconds(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.give(name, help, labels, Value::Seconds(value));
    }

    /// Gives a gauge.
    pub fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.give(name, help, labels, Value::Gauge(value));
    }

    fn give(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: Value) {
        let fits = is_name(name)
            && name.ends_with("_total") == (value.kind() == MetricKind::Counter)
            && labels.iter().all(|(name, _)| is_name(name) && !name.starts_with("__") && *name != "le");
        if !fits {
            self.left_out += 1;
            return;
        }
        let text = |value: &str| Text::Owned(value.into());
        let labels = labels.iter().map(|(name, value)| (Cow::Owned((*name).to_owned()), text(value))).collect();
        self.add(Cow::Owned(name.to_owned()), Cow::Owned(help.to_owned()), labels, value);
    }

    pub(super) fn add(
        &mut self,
        name: Cow<'static, str>,
        help: Cow<'static, str>,
        labels: Labels,
        value: Value,
    ) {
        let kind = value.kind();
        if self.room == 0 {
            self.left_out += 1;
            return;
        }
        let family = self.families.entry(name).or_insert_with(|| Family { help, kind, samples: Vec::new() });
        if family.kind == kind {
            self.room -= 1;
            family.samples.push(Sample { labels, value });
        } else {
            self.left_out += 1;
        }
    }

    /// Makes room for one more.
    pub(super) fn make_room(&mut self) {
        self.room += 1;
    }

    /// How many values had no place.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The values in order, each set of labels once.
    pub(super) fn finish(mut self) -> Snapshot {
        for family in self.families.values_mut() {
            let samples = std::mem::take(&mut family.samples);
            let mut named: Vec<(String, Sample)> =
                samples.into_iter().map(|sample| (sort_key(&sample.labels), sample)).collect();
            // It keeps the order of equal ones, so that the last gauge is the last one given.
            named.sort_by(|(a, _), (b, _)| a.cmp(b));
            let mut before = None;
            for (key, sample) in named {
                match family.samples.last_mut() {
                    Some(last) if before.as_ref() == Some(&key) => last.value.merge(sample.value),
                    _ => family.samples.push(sample),
                }
                before = Some(key);
            }
        }
        Snapshot { families: self.families }
    }
}

fn sort_key(labels: &Labels) -> String {
    let mut key = String::new();
    for (name, value) in labels {
        key.push_str(name);
        key.push('\u{1}');
        value.with(|value| key.push_str(value));
        key.push('\u{0}');
    }
    key
}

fn is_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|first| !first.is_ascii_digit())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Samples").field("families", &self.families.len()).finish_non_exhaustive()
    }
}

/// What begins on one thread may end on another, and be missed on one side while the threads are read.
pub(super) fn whole(sum: i64) -> f64 {
    sum.max(0) as f64
}

/// All values at one moment, for whoever hands them on in a form of their own.
#[doc(hidden)]
#[derive(Debug)]
pub struct Snapshot {
    pub(super) families: BTreeMap<Cow<'static, str>, Family>,
}

/// One value of a [`Snapshot`].
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct SnapshotSample<'a>(&'a Sample);

/// A histogram of a [`Snapshot`].
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct SnapshotHistogram<'a>(&'a HistogramValue);

impl Snapshot {
    /// The families in the order of their names: name, help, kind and samples.
    pub fn families(
        &self,
    ) -> impl Iterator<Item = (&str, &str, MetricKind, impl Iterator<Item = SnapshotSample<'_>>)> {
        self.families.iter().map(|(name, family)| {
            (&**name, &*family.help, family.kind, family.samples.iter().map(SnapshotSample))
        })
    }
}

impl<'a> SnapshotSample<'a> {
    /// Names and values.
    pub fn labels(self) -> impl Iterator<Item = (&'a str, String)> {
        self.0.labels.iter().map(|(name, value)| (&**name, value.with(str::to_owned)))
    }

    /// The value of a counter or a gauge.
    pub fn number(self) -> Option<f64> {
        match &self.0.value {
            Value::Count(count) => Some(*count as f64),
            Value::Seconds(value) | Value::Gauge(value) => Some(*value),
            Value::Sum(value) => Some(whole(*value)),
            Value::Histogram(_) => None,
        }
    }

    /// The value of a histogram.
    pub fn histogram(self) -> Option<SnapshotHistogram<'a>> {
        match &self.0.value {
            Value::Histogram(value) => Some(SnapshotHistogram(value)),
            _ => None,
        }
    }
}

impl<'a> SnapshotHistogram<'a> {
    /// How many values there are.
    pub fn count(self) -> u64 {
        self.0.count()
    }

    /// The sum of the values, in seconds.
    pub fn sum(self) -> f64 {
        self.0.sum()
    }

    /// Upper bounds in seconds, the last of them infinite, and how many values are at or below each.
    pub fn buckets(self) -> impl Iterator<Item = (f64, u64)> + 'a {
        self.0.buckets().map(|(bound, below, _)| (bound, below))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_the_same_labels_are_one_and_odd_names_are_left_out() {
        let mut samples = Samples::new(100);
        samples.counter("a_total", "Counts.", &[("x", "1")], 2);
        samples.counter("a_total", "Counts.", &[("x", "2")], 3);
        samples.counter("a_total", "Counts.", &[("x", "1")], 5);
        samples.gauge("b", "Waits.", &[], 1.0);
        samples.gauge("b", "Waits.", &[], 4.0);
        // What follows is wrong.
        samples.gauge("a_total", "No counter.", &[], 1.0);
        samples.counter("c", "No total.", &[], 1);
        samples.gauge("9", "No name.", &[], 1.0);
        samples.gauge("d e", "No name.", &[], 1.0);
        samples.gauge("d", "No label.", &[("é", "x")], 1.0);
        samples.gauge("d", "A label of histograms.", &[("le", "x")], 1.0);
        assert_eq!(samples.left_out(), 6);
        let snapshot = samples.finish();
        let seen: Vec<_> = snapshot
            .families()
            .flat_map(|(name, _, _, samples)| {
                samples.map(move |sample| {
                    (name, sample.labels().map(|(_, value)| value).collect(), sample.number())
                })
            })
            .collect();
        let one = |value: &str| vec![value.to_owned()];
        let expected: [(&str, Vec<String>, _); 3] =
            [("a_total", one("1"), Some(7.0)), ("a_total", one("2"), Some(3.0)), ("b", vec![], Some(4.0))];
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let mut samples = Samples::new(3);
        for number in 0..5 {
            samples.gauge("a", "Much.", &[("x", &number.to_string())], 1.0);
        }
        assert_eq!(samples.left_out(), 2);
        assert_eq!(samples.finish().families().map(|(.., samples)| samples.count()).sum::<usize>(), 3);
    }
}
