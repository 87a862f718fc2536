//! `ProxyService`: a streaming HTTP reverse proxy as a Tower service.
//!
//! 1. Bodies stream both ways with back-pressure. Nothing waits in a buffer. Trailers pass.
//! 2. Fields that belong to one connection are removed ([`gatewright_core::hop_by_hop`]). Then `X-Forwarded-For`, `-Proto`
//!    and `-Host` are added. They are extended for a trusted peer, and replaced for all others.
//! 3. The upstream's `Host` field is made from the authority by which the request was routed.
//! 4. A request that never left, or that an HTTP/2 endpoint has not processed, is sent again, to another target where
//!    there is one.
//! 5. A request that left is sent again when its method is idempotent, when its body is empty or has been kept, when
//!    [`Retries`] say so, and when the upstream's budget of a fifth pays for it. Without retries, it is sent again once
//!    when a connection that had served before closed before a byte of the response.
//! 6. WebSocket is the only upgrade that is forwarded (`GET`, no body, RFC 6455). Bytes are tunnelled only after the
//!    upstream's 101. A 101 that nobody asked for is a 502.
//! 7. A response that is not valid (both `Content-Length` and `Transfer-Encoding`, no HTTP) is a 502. A response that ends
//!    early is an aborted body. The connection is not used again in either case.
//! 8. `timeout` runs until the head of the response. While the request's body is on its way, the timeout starts anew with
//!    each part of the body. `idle_timeout` runs between bytes. It alone bounds streams and upgraded connections.
//! 9. `X-HTTP-Method-Override` and similar fields are removed, unless
//!    [`pass_method_override`](ProxyBuilder::pass_method_override) is set. A query parameter with the same purpose
//!    (`_method`) passes, since services should not accept it from strangers.
//! 10. A trailer never says who calls, never shows a credential that a layer removed from the head, and is never a field
//!     that [may not trail](gatewright_core::trailers::may_trail).
//! 11. `OPTIONS` and `TRACE` go as far as `Max-Forwards` allows (RFC 9110, section 7.6.2). At zero the answer is 204 with
//!     `Allow`, or 405.
//! 12. The targets of an upstream can be replaced while requests run ([`Upstream::set_targets`]). A target that goes
//!     finishes the requests that it has.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//! use gatewright_proxy::ProxyService;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let orders = ProxyService::builder().target("order-service:8080").timeout(Duration::from_secs(5)).build()?;
//! # let _ = orders; Ok(()) }
//! ```
//!
//! Customised: two services with limits of their own share one upstream of several targets.
//!
//! ```
//! use std::time::Duration;
//! use gatewright_proxy::{Protocol, ProxyService, Retries, Upstream};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let users = Upstream::builder("users")
//!     .target("10.0.1.4:8080")
//!     .weighted_target("10.0.1.5:8080", 2)
//!     .protocol(Protocol::Http1)
//!     .max_connections(256)
//!     .build()?;
//!
//! let reads = ProxyService::builder()
//!     .upstream(users.clone())
//!     .retries(Retries::new(2).on_reset().on_status(503))
//!     .build()?;
//! let reports = ProxyService::builder().upstream(users).timeout(Duration::from_secs(120)).build()?;
//! # let _ = (reads, reports); Ok(()) }
//! ```

// docs.rs shows the feature of each item.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod balance;
mod builder;
mod deadline;
mod error;
mod forward;
mod head;
mod interim;
mod loops;
mod max_forwards;
mod progress;
mod replay;
mod request_body;
mod response_body;
mod retries;
mod service;
mod settings;
mod tunnel;
mod upstream;

pub use builder::ProxyBuilder;
pub use error::ProxyError;
#[cfg(feature = "tls")]
pub use gatewright_client::{ClientTls, ClientTlsBuilder, ClientTlsError};
pub use gatewright_client::{InvalidTarget, PoolStats, Protocol, Resolver, Target};
pub use response_body::ProxyBody;
pub use retries::Retries;
pub use service::{ProxyFuture, ProxyService};
pub use upstream::{EndpointHealth, EndpointStatus, Upstream, UpstreamBuilder};

/// Compiles the code of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
