//! `ProxyService`: a streaming HTTP reverse proxy as a Tower service.
//!
//! 1. Bodies stream both ways with back-pressure; nothing is buffered. Trailers pass.
//! 2. Fields that belong to one connection are removed ([`gatewright_core::hop_by_hop`]), before ours are added:
//!    `X-Forwarded-For`, `-Proto` and `-Host`, which are extended for a trusted peer and replaced for all others.
//! 3. The `Host` field upstream is made from the authority that was routed.
//! 4. A request that never left, or that an HTTP/2 endpoint has not processed, is sent again, to another target where
//!    there is one. One that left is sent again only when its method is idempotent and its body empty, when [`Retries`]
//!    say so, and within a budget of a fifth; or once without them, when a connection that had served before closed
//!    before a byte of the response.
//! 5. Of upgrades only WebSocket's is forwarded (`GET`, no body, RFC 6455). Bytes are tunnelled only after the
//!    upstream's 101; a 101 that nobody asked for is a 502.
//! 6. A response that is not sound (both `Content-Length` and `Transfer-Encoding`, no HTTP) is a 502, one that ends
//!    early an aborted body; its connection is never used again.
//! 7. `timeout` runs until the response's head; while the request's body is still on its way it starts anew with each
//!    part of it. `idle_timeout` runs between bytes, and it alone bounds streams and upgraded connections.
//! 8. `X-HTTP-Method-Override` and its kin are removed, unless
//!    [`pass_method_override`](ProxyBuilder::pass_method_override) lets them by. A query parameter that does the same
//!    (`_method`) is the service's business, which should not take it from strangers.
//! 9. No trailer says who calls, shows a credential that a layer took out of the head, or is a field that
//!    [never trails](gatewright_core::trailers::may_trail).
//! 10. `OPTIONS` and `TRACE` go as far as `Max-Forwards` lets them (RFC 9110, section 7.6.2): at zero the answer is
//!     204 with `Allow`, or 405.
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
//! Customised: one upstream of several targets, shared by two services with limits of their own.
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

// docs.rs names the feature of each item.
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
pub use gatewright_client::{InvalidTarget, Protocol, Resolver, Target};
pub use response_body::ProxyBody;
pub use retries::Retries;
pub use service::{ProxyFuture, ProxyService};
pub use upstream::{Upstream, UpstreamBuilder};

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
