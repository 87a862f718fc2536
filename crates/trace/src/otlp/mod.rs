//! Spans to a collector of OpenTelemetry, by OTLP over gRPC or over HTTP with protobuf.
//!
//! 1. Whether a trace is recorded is decided when its request arrives, before there is any span: by the caller's flag, or else by
//!    the layer's share ([`TraceLayer::sample`](crate::TraceLayer::sample)). A request that is not recorded costs that decision.
//! 2. The spans of a request are made when the request ends, from its record. The ids of its attempts are older: the services behind
//!    have seen them as their parents.
//! 3. A request hands its spans to a queue and never waits. The queue has a bound; spans that find it full are dropped and counted.
//! 4. A thread with a runtime of its own sends them, so that the runtime of the program, whichever it is, has no part in it.
//! 5. A batch that the collector could take later is sent again, after a pause that doubles up to a bound and has a part of chance;
//!    `Retry-After` counts. Any other failure drops the batch. The log tells of failures once a minute at most.

mod builder;
mod client;
mod export;
mod protocol;
mod queue;
mod spans;
mod worker;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

pub use builder::{OtlpBuilder, OtlpError};
pub use protocol::OtlpProtocol;

use self::queue::Shared;
use crate::{EndedRequest, Observer};

/// Sends the spans of requests to a collector. Clones share one queue and one thread.
///
/// ```no_run
/// use std::time::Duration;
///
/// use gatewright_trace::{Otlp, OtlpProtocol, TraceLayer};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let otlp = Otlp::builder("http://127.0.0.1:4318").protocol(OtlpProtocol::Http).service("orders-gateway").build()?;
/// let layer = TraceLayer::new().sample(0.01).observer(otlp.clone());
/// // Before the program ends:
/// otlp.flush(Duration::from_secs(5));
/// # let _ = layer;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Otlp(Arc<Handle>);

/// The thread ends when the last clone is gone, after it has sent what was left.
struct Handle {
    shared: Arc<Shared>,
    late: bool,
}

impl Otlp {
    /// Starts an exporter to the collector at this URL, `http://127.0.0.1:4317` say. Over HTTP, `/v1/traces` is added to its path.
    pub fn builder(endpoint: &str) -> OtlpBuilder {
        OtlpBuilder::new(endpoint)
    }

    /// Sends what is in the queue, and waits until it is sent or has failed, for so long at most. Whether all of it was sent. It does
    /// not need a runtime, and works on the thread of any.
    pub fn flush(&self, limit: Duration) -> bool {
        self.0.shared.flush(limit)
    }

    /// The spans that the collector has taken.
    pub fn exported(&self) -> u64 {
        self.0.shared.exported.load(Ordering::Relaxed)
    }

    /// The spans that were dropped: the queue was full, or the collector did not take them.
    pub fn dropped(&self) -> u64 {
        self.0.shared.dropped.load(Ordering::Relaxed)
    }

    /// The spans that wait in the queue.
    pub fn queued(&self) -> usize {
        self.0.shared.len()
    }
}

impl Observer for Otlp {
    fn watches_spans(&self) -> bool {
        true
    }

    fn request_ended(&self, request: &EndedRequest<'_>) {
        match request.span() {
            Some(span) if span.is_sampled() => self.0.shared.push(spans::all(request, &span)),
            Some(span) if self.0.late && spans::is_failure(request) => {
                self.0.shared.push(vec![spans::late(request, &span)]);
            }
            _ => {}
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl fmt::Debug for Otlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Otlp")
            .field("queued", &self.queued())
            .field("exported", &self.exported())
            .field("dropped", &self.dropped())
            .finish_non_exhaustive()
    }
}
