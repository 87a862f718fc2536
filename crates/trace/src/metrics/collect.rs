//! Adds up what the threads have counted.

use std::{
    borrow::Cow,
    sync::{OnceLock, atomic::Ordering::Relaxed},
};

use gatewright_core::Label;

use super::{
    Metrics, Samples,
    cells::{Route, STREAM_KINDS, Upstream},
    histogram::{Histogram, HistogramValue},
    process,
    reasons::Reasons,
    samples::{Labels, Text, Value},
};

/// What a label is called that found no place of its own.
const OTHER: &str = "_other";

/// Name and help of a family.
type Family = (&'static str, &'static str);

const REQUESTS: Family =
    ("gatewright_requests_total", "Requests that have ended, by status; 499 is a client that left first.");
const WHOLE: Family = (
    "gatewright_request_seconds",
    "From the arrival of a request to the end of its response; of streams, to the head of the response.",
);
const OWN: Family = (
    "gatewright_own_seconds",
    "The gateway's own share: from the arrival of a request to the head of its response, less the time of the upstream.",
);
const UPSTREAM: Family = (
    "gatewright_upstream_seconds",
    "From the choice of an endpoint to the head of the upstream's response, over all attempts.",
);
const REJECTIONS: Family = ("gatewright_rejections_total", "Requests that a policy refused.");
const WOULD_REJECT: Family =
    ("gatewright_would_reject_total", "Requests that a policy on trial would have refused.");
const FAILURES: Family = (
    "gatewright_failures_total",
    "Requests that failed: an error of the upstream or the gateway, a client that left, a connection that the server cut.",
);
const IN_FLIGHT: Family = ("gatewright_in_flight", "Requests that have begun and have not ended.");
const BYTES_IN: Family = ("gatewright_request_bytes_total", "Bytes of request bodies.");
const BYTES_OUT: Family = ("gatewright_response_bytes_total", "Bytes of response bodies.");
const STREAMS: Family = ("gatewright_streams_open", "Upgraded connections and event streams that are open.");
const LIFETIME: Family =
    ("gatewright_stream_seconds", "How long upgraded connections and event streams have lasted.");
const OVERFLOW: Family = (
    "gatewright_metrics_overflow_total",
    "What was counted as _other, or left out, since there were too many labels.",
);

impl Metrics {
    /// All values at this moment.
    #[doc(hidden)]
    pub fn snapshot(&self) -> super::Snapshot {
        let mut samples = Samples::new(self.0.samples);
        process::collect(&mut samples);
        let shards = || self.0.shards.iter();
        let in_flight = shards().map(|shard| shard.in_flight.load(Relaxed)).sum();
        add(&mut samples, IN_FLIGHT, Vec::new(), Value::Sum(in_flight));
        for shard in shards() {
            add_route(&mut samples, &Text::Static(""), &shard.no_route);
            add_route(&mut samples, &Text::Static(OTHER), shard.routes.other());
            for (label, route) in shard.routes.iter() {
                add_route(&mut samples, &of(label), route);
            }
            add_upstream(&mut samples, &Text::Static(OTHER), shard.upstreams.other());
            for (label, upstream) in shard.upstreams.iter() {
                add_upstream(&mut samples, &of(label), upstream);
            }
        }
        for source in self.sources() {
            source(&mut samples);
        }
        let overflowed: u64 = shards().map(|shard| shard.overflowed.load(Relaxed)).sum();
        let overflowed = overflowed + samples.left_out();
        // Room is always left for this one.
        samples.make_room();
        add(&mut samples, OVERFLOW, Vec::new(), Value::Count(overflowed));
        samples.finish()
    }
}

fn of(label: &Label) -> Text {
    Text::Label(label.clone())
}

fn add(samples: &mut Samples, (name, help): Family, labels: Labels, value: Value) {
    samples.add(Cow::Borrowed(name), Cow::Borrowed(help), labels, value);
}

/// A label.
fn label(name: &'static str, value: Text) -> (Cow<'static, str>, Text) {
    (Cow::Borrowed(name), value)
}

fn add_histogram(samples: &mut Samples, family: Family, labels: Labels, histogram: &Histogram) {
    let mut value = HistogramValue::empty();
    histogram.add_to(&mut value);
    if value.count() > 0 {
        add(samples, family, labels, Value::Histogram(Box::new(value)));
    }
}

fn add_route(samples: &mut Samples, name: &Text, route: &Route) {
    let labels = || vec![label("route", name.clone())];
    let count = |method, status, count| {
        let mut labels = labels();
        labels.extend([label("method", method), label("status", status)]);
        (labels, Value::Count(count))
    };
    route.counts.each(|key, number| {
        let status = key.status().map_or(Text::Static(""), Text::Number);
        let (labels, value) = count(Text::Static(key.method()), status, number);
        add(samples, REQUESTS, labels, value);
    });
    if route.counts.other() > 0 {
        let (labels, value) = count(Text::Static(OTHER), Text::Static(OTHER), route.counts.other());
        add(samples, REQUESTS, labels, value);
    }
    add_histogram(samples, WHOLE, labels(), &route.whole);
    add_histogram(samples, OWN, labels(), &route.own);
    for (family, bytes) in [(BYTES_IN, &route.bytes_in), (BYTES_OUT, &route.bytes_out)] {
        let bytes = bytes.load(Relaxed);
        if bytes > 0 {
            add(samples, family, labels(), Value::Count(bytes));
        }
    }
    add_reasons(samples, REJECTIONS, "policy", name, &route.rejections);
    add_reasons(samples, WOULD_REJECT, "policy", name, &route.would_reject);
    add_reasons(samples, FAILURES, "by", name, &route.failures);
    let Some(streams) = route.streams.get() else { return };
    for (kind, streams) in STREAM_KINDS.iter().zip(&**streams) {
        let labels = || vec![label("route", name.clone()), label("kind", Text::Static(kind.as_str()))];
        let open = streams.open.load(Relaxed);
        add(samples, STREAMS, labels(), Value::Sum(open));
        add_histogram(samples, LIFETIME, labels(), &streams.lifetime);
    }
}

fn add_reasons(
    samples: &mut Samples,
    family: Family,
    by_label: &'static str,
    route: &Text,
    reasons: &OnceLock<Box<Reasons>>,
) {
    let Some(reasons) = reasons.get() else { return };
    let labels = |by: Text, reason: Text| {
        vec![label("route", route.clone()), label(by_label, by), label("reason", reason)]
    };
    reasons.each(|by, reason, count| {
        let labels = labels(Text::Owned(by.into()), Text::Owned(reason.into()));
        add(samples, family, labels, Value::Count(count));
    });
    if reasons.other() > 0 {
        let labels = labels(Text::Static(OTHER), Text::Static(OTHER));
        add(samples, family, labels, Value::Count(reasons.other()));
    }
}

fn add_upstream(samples: &mut Samples, name: &Text, upstream: &Upstream) {
    add_histogram(samples, UPSTREAM, vec![label("upstream", name.clone())], &upstream.seconds);
}
