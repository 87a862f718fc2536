//! Metrics for Prometheus and its like.

mod cells;
mod collect;
mod counts;
mod exposition;
mod histogram;
mod label_table;
mod observe;
mod process;
mod reasons;
mod samples;
mod shards;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Instant, SystemTime},
};

pub use exposition::Exposition;
pub use samples::{MetricKind, Samples};
#[doc(hidden)]
pub use samples::{Snapshot, SnapshotHistogram, SnapshotSample};

use cells::Shard;
use exposition::Format;
use shards::Shards;

/// Counts requests, and tells a scraper of them.
///
/// Clones share what is counted. A request never waits for it: its end costs some atomic additions to memory of its
/// thread, and no lock, no look-up of a name and no allocation. What a label counts is made when the label is first seen.
///
/// | metric | |
/// | --- | --- |
/// | `gatewright_requests_total{route,method,status}` | requests that have ended |
/// | `gatewright_request_seconds{route}` | to the end of the response's body, as a histogram with exemplars of sampled traces |
/// | `gatewright_own_seconds{route}` | the gateway's own share of the time to the response's head |
/// | `gatewright_upstream_seconds{upstream}` | the upstream's share: to its response's head, over all attempts |
/// | `gatewright_rejections_total{route,policy,reason}` | refusals |
/// | `gatewright_would_reject_total{route,policy,reason}` | refusals that policies on trial would have made |
/// | `gatewright_failures_total{route,by,reason}` | `by` is `error`, `client` (it left) or `server` (it cut the connection) |
/// | `gatewright_in_flight` | requests under way |
/// | `gatewright_request_bytes_total{route}`, `gatewright_response_bytes_total{route}` | of bodies |
/// | `gatewright_streams_open{route,kind}` | `kind` is `upgraded` or `event_stream` |
/// | `gatewright_stream_seconds{route,kind}` | how long streams lasted |
/// | `gatewright_metrics_overflow_total` | counted as `_other`, or left out, for want of room |
/// | `process_…` | CPU, memory and descriptors, on Linux |
///
/// 1. Labels are bounded. A request that no route took has `route=""`, a method that no standard defines is `_OTHER`, and what
///    comes when there is no room for one more label is `_other`.
/// 2. A client that left before a response began has the status 499, and one that left later keeps the response's status. Both
///    are failures by the client. No client makes a status 5xx by leaving.
/// 3. An upgraded connection or an event stream counts into `gatewright_request_seconds` with the time to the head of its
///    response. What follows is in `gatewright_stream_seconds`. Whether a gRPC call is a stream cannot be seen, so gRPC calls
///    count as requests.
/// 4. Series that nothing was counted in are left out.
///
/// # Examples
///
/// ```
/// use gatewright_trace::{Metrics, TraceLayer};
///
/// let metrics = Metrics::new();
/// let layer = TraceLayer::new().observer(metrics.clone());
/// // In the handler of `/metrics`, with the request's `Accept`:
/// let exposition = metrics.exposition(Some("application/openmetrics-text;version=1.0.0"));
/// assert!(exposition.content_type.starts_with("application/openmetrics-text"));
/// assert!(exposition.body.ends_with("# EOF\n"));
/// # let _ = layer;
/// ```
///
/// Customised: fewer routes with series of their own, and values of one's own.
///
/// ```
/// use std::sync::{Arc, atomic::{AtomicU64, Ordering}};
///
/// use gatewright_trace::Metrics;
///
/// let queued = Arc::new(AtomicU64::new(3));
/// let metrics = Metrics::builder().max_labels(500).build();
/// let seen = Arc::clone(&queued);
/// metrics.source("mailer", move |samples| {
///     let value = seen.load(Ordering::Relaxed) as f64;
///     samples.gauge("shop_mails_queued", "Mails that wait.", &[("queue", "orders")], value);
/// });
/// assert!(metrics.exposition(None).body.contains("\nshop_mails_queued{queue=\"orders\"} 3\n"));
/// ```
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    shards: Shards<Shard>,
    sources: Mutex<BTreeMap<Box<str>, Source>>,
    /// The most routes, and the most upstreams.
    labels: usize,
    /// The most values of one scrape.
    samples: usize,
    /// One scrape at a time, so that what scrapes need is bounded.
    scraping: Mutex<()>,
    began: Instant,
    began_at: SystemTime,
}

type Source = Arc<dyn Fn(&mut Samples) + Send + Sync>;

/// Builds [`Metrics`].
#[derive(Debug, Clone)]
pub struct MetricsBuilder {
    labels: usize,
    samples: usize,
}

impl Metrics {
    /// Metrics with the defaults.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Metrics with settings of one's own.
    pub fn builder() -> MetricsBuilder {
        MetricsBuilder { labels: 16_384, samples: 400_000 }
    }

    /// Asks this function for further values whenever somebody reads the metrics. It takes the place of an earlier one that was
    /// added under the same name. It is called by whoever reads, so it must be quick.
    pub fn source(&self, name: &str, source: impl Fn(&mut Samples) + Send + Sync + 'static) {
        let source: Source = Arc::new(source);
        self.lock_sources().insert(name.into(), source);
    }

    /// Forgets the [source](Self::source) of this name.
    pub fn remove_source(&self, name: &str) {
        let removed = self.lock_sources().remove(name);
        // What it holds may have something to do when it is dropped.
        drop(removed);
    }

    /// The metrics as text, in the format that `accept`, the value of the scraper's `Accept`, likes best (RFC 9110, section 12.5.1):
    /// OpenMetrics 1.0, or the text format 0.0.4 of Prometheus, which is the default.
    ///
    /// It takes milliseconds when there are thousands of routes, and several callers wait for each other. So call it outside
    /// the tasks that serve requests.
    pub fn exposition(&self, accept: Option<&str>) -> Exposition {
        let format = Format::of(accept);
        let scraping = self.0.scraping.lock().unwrap_or_else(PoisonError::into_inner);
        let body = exposition::render(&self.snapshot(), format, self.0.began_at);
        drop(scraping);
        Exposition { content_type: format.content_type(), body }
    }

    fn sources(&self) -> Vec<Source> {
        // They are called without the lock, so that one of them may add another.
        self.lock_sources().values().cloned().collect()
    }

    fn lock_sources(&self) -> std::sync::MutexGuard<'_, BTreeMap<Box<str>, Source>> {
        self.0.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MetricsBuilder {
    /// Sets how many routes, and how many upstreams, have series of their own; 16,384 by default. What comes after them is
    /// counted together, as `_other`.
    #[must_use]
    pub fn max_labels(mut self, labels: usize) -> Self {
        self.labels = labels;
        self
    }

    /// Sets the most values that one scrape gets, a histogram being one; 400,000 by default.
    #[must_use]
    pub fn max_values(mut self, values: usize) -> Self {
        self.samples = values;
        self
    }

    /// The metrics.
    pub fn build(self) -> Metrics {
        Metrics(Arc::new(Inner {
            shards: Shards::new(),
            sources: Mutex::default(),
            labels: self.labels,
            samples: self.samples,
            scraping: Mutex::default(),
            began: Instant::now(),
            began_at: SystemTime::now(),
        }))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}
