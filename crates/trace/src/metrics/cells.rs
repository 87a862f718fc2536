//! What is counted of routes and upstreams.

use std::sync::{
    OnceLock,
    atomic::{AtomicI64, AtomicU64},
};

use super::{
    counts::Counts,
    histogram::{Histogram, LIFETIME, OWN, REQUEST},
    label_table::LabelTable,
    reasons::Reasons,
};
use crate::StreamKind;

/// The counters of one thread.
pub(super) struct Shard {
    /// Requests that have begun less those that have ended. A request may end on another thread, so that only the sum over
    /// all shards means something.
    pub(super) in_flight: AtomicI64,
    pub(super) routes: LabelTable<Route>,
    /// Of requests that no route took.
    pub(super) no_route: Route,
    pub(super) upstreams: LabelTable<Upstream>,
    /// What was counted as `_other`.
    pub(super) overflowed: AtomicU64,
}

impl Shard {
    pub(super) fn new(labels: usize) -> Self {
        Self {
            in_flight: AtomicI64::new(0),
            routes: LabelTable::new(labels),
            no_route: Route::default(),
            upstreams: LabelTable::new(labels),
            overflowed: AtomicU64::new(0),
        }
    }
}

/// The counters of a route.
pub(super) struct Route {
    pub(super) counts: Counts,
    pub(super) whole: Histogram,
    pub(super) own: Histogram,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) rejections: OnceLock<Box<Reasons>>,
    pub(super) failures: OnceLock<Box<Reasons>>,
    pub(super) would_reject: OnceLock<Box<Reasons>>,
    pub(super) streams: OnceLock<Box<[Streams; STREAM_KINDS.len()]>>,
}

pub(super) const STREAM_KINDS: [StreamKind; 2] = [StreamKind::Upgraded, StreamKind::EventStream];

/// The streams of one kind on a route.
pub(super) struct Streams {
    /// As `in_flight` of a [`Shard`], it means something as a sum only.
    pub(super) open: AtomicI64,
    pub(super) lifetime: Histogram,
}

impl Route {
    pub(super) fn streams(&self, kind: StreamKind) -> &Streams {
        let new = || Streams { open: AtomicI64::new(0), lifetime: Histogram::new(&LIFETIME) };
        let [upgraded, events] = &**self.streams.get_or_init(|| Box::new(std::array::from_fn(|_| new())));
        match kind {
            StreamKind::Upgraded => upgraded,
            StreamKind::EventStream => events,
        }
    }
}

impl Default for Route {
    fn default() -> Self {
        Self {
            counts: Counts::default(),
            whole: Histogram::new(&REQUEST),
            own: Histogram::new(&OWN),
            bytes_in: AtomicU64::new(0),
            bytes_out: AtomicU64::new(0),
            rejections: OnceLock::new(),
            failures: OnceLock::new(),
            would_reject: OnceLock::new(),
            streams: OnceLock::new(),
        }
    }
}

/// The counters of an upstream.
pub(super) struct Upstream {
    pub(super) seconds: Histogram,
}

impl Default for Upstream {
    fn default() -> Self {
        Self { seconds: Histogram::new(&REQUEST) }
    }
}
