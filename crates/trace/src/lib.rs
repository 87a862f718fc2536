//! Request ids, W3C trace context and a JSON access log for any Tower service.
//!
//! [`TraceLayer`] is the outermost layer of a stack; only what settles the client's address stands outside it.
//!
//! 1. Every request has a [`RequestRecord`](gatewright_core::RequestRecord): the one in its extensions, or one made
//!    here. Inner layers write into it, and the line of the access log is made of it.
//! 2. `x-request-id` is kept when it comes from a peer that is trusted for it ([`Trust`]), stands there once, and is 1
//!    to 128 letters, digits and `-_.~+/=:@`. Otherwise it is made: 128 random bits as 32 hex digits. It goes upstream,
//!    into the record, and on every response.
//! 3. A valid `traceparent` (W3C Trace Context, levels 1 and 2) is continued: same trace id, a new parent id. A missing or
//!    invalid one is replaced, and `tracestate` is then dropped. By default anyone's is continued, for that is what the
//!    header is for; [`TraceLayer::trust_traces`] narrows that.
//! 4. One line a request is written when the response's body ends or is dropped, or when the service's future is dropped.
//!    A client that left before a response began has status 499, as in nginx; one that left later keeps the response's
//!    status. Both lines say `"rejection":"client:gone"`. When it was the server that cut the connection, at the end of its
//!    time to drain, both say `"server:cut"`, and the status before a response began is 503.
//!    The request of a connection that left HTTP (a WebSocket) ends with the tunnel, and so does its line.
//! 5. A service's error passes through. Its line has no status, since none was sent.
//! 6. Responses pass through frame by frame, trailers too, and readiness is the inner service's alone.
//! 7. The log never waits: lines go to a buffer of the thread that writes them, and a thread of the log's own
//!    carries them to the [`AccessLog`]'s target. What does not fit is counted, not written.
//!
//! `tower_http::trace::TraceLayer` is another thing: it opens `tracing` spans. This one writes no spans, and the two
//! may stand in one stack.
//!
//! # The access log
//!
//! One JSON object a line. Values that are not known are left out:
//!
//! | field | |
//! | --- | --- |
//! | `ts` | when the request began, RFC 3339, UTC, milliseconds |
//! | `request_id`, `trace_id` | |
//! | `client` | the client's address, after trusted hops |
//! | `method`, `host`, `path` | as the client wrote them; without query and user information, which may hold secrets |
//! | `route`, `upstream`, `endpoint` | the names of the configuration, and `host:port` of the server that answered |
//! | `status` | |
//! | `bytes_in`, `bytes_out` | of the bodies |
//! | `duration_ms`, `upstream_ms` | to the end of the body; to the upstream's response head |
//! | `principal` | who called |
//! | `credential` | which of its credentials it showed, by name: an API key's, a certificate's serial number |
//! | `rejection` | `policy:reason` of a refusal, `error:kind` of a failure, `client:gone`, `server:cut` |
//! | `would_reject` | `policy:reason` of a refusal that a policy on trial (a dry run) would have made |
//!
//! # Example
//!
//! Ids and trace context only:
//!
//! ```
//! use gatewright_trace::TraceLayer;
//! use tower_layer::Layer;
//!
//! # let service = tower::service_fn(|_: http::Request<()>| async { Ok::<_, ()>(http::Response::new(())) });
//! let service = TraceLayer::new().layer(service);
//! # let _ = service;
//! ```
//!
//! Customised: an access log in a file, and traces continued for trusted proxies only.
//!
//! ```
//! use gatewright_trace::{AccessLog, TraceLayer, Trust};
//!
//! # fn main() -> std::io::Result<()> {
//! # let directory = std::env::temp_dir().join(format!("gatewright-doc-{}", std::process::id()));
//! # std::fs::create_dir_all(&directory)?;
//! # let path = directory.join("access.log");
//! let log = AccessLog::file(path)?;
//! let layer = TraceLayer::new().access_log(log.clone()).trust_traces(Trust::Proxies);
//! // After logrotate has moved the file:
//! log.reopen();
//! // Before the program ends:
//! log.flush();
//! # let _ = layer;
//! # std::fs::remove_dir_all(directory)
//! # }
//! ```

mod access_log;
mod account;
mod body;
mod ended;
mod future;
mod layer;
#[cfg(feature = "metrics")]
mod metrics;
mod observer;
mod request_id;
mod service;
mod started;
mod traceparent;
mod tracestate;
mod tunnel;

pub use access_log::{AccessLog, AccessLogBuilder, LogTrouble, RefusedRequest};
pub use body::TraceBody;
pub use ended::{EndedRequest, Ending};
pub use future::TraceFuture;
pub use layer::{TraceLayer, Trust};
#[cfg(feature = "metrics")]
pub use metrics::{Exposition, MetricKind, Metrics, MetricsBuilder, Samples};
#[cfg(feature = "metrics")]
#[doc(hidden)]
pub use metrics::{Snapshot, SnapshotHistogram, SnapshotSample};
pub use observer::{Observer, Observers};
pub use service::TraceService;
pub use started::{StartedResponse, StreamKind};

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
