//! Listeners for an API gateway: TLS, HTTP/1 and HTTP/2, strict framing, limits and graceful drain.
//!
//! A [`Server`] takes any Tower service and gives it requests that are safe to forward:
//!
//! 1. A request that two servers might read in two ways is refused and never repaired: Content-Length beside
//!    Transfer-Encoding, bare line feeds, folded lines, a missing or second Host, a fragment in the target, and the like.
//!    The client gets 400 (or 405, 414, 417, 431, 505), the connection is closed, and the service is not called. HTTP/2
//!    has the same rules.
//! 2. A chunked body that breaks off or is malformed fails in the service, so that the request upstream is aborted. The
//!    client gets 400 if no response has begun.
//! 3. Requests before a refused request on the same connection get their responses first.
//! 4. Only `Upgrade: websocket` by GET without a body can be granted. Every other offer is ignored (RFC 9110, section 7.8),
//!    and its fields are removed. A `101` without an offer never reaches the client.
//! 5. Each phase of a connection has a limit of time ([`Limits`]). One lazy timer per connection keeps all limits; no timer
//!    is set for a request.
//! 6. HTTP/2 frames that cost work and carry none (PING, SETTINGS, empty DATA, …) are charged to a budget. A flood ends in
//!    GOAWAY with ENHANCE_YOUR_CALM.
//! 7. An error or a panic in the service is answered with a problem document, and every other request goes on.
//! 8. A drain finishes the requests in flight and the upgraded streams, until a deadline ([`ServerHandle::drain`]).
//! 9. Each request carries a [`RequestRecord`](gatewright_core::RequestRecord) with the facts about its connection. On
//!    HTTP/1 the record can also send interim responses (103); on HTTP/2 it cannot yet.
//! 10. A request that may become a WebSocket carries an [`OnUpgrade`](gatewright_core::OnUpgrade).
//!
//! An idle HTTP/1 connection holds no buffer, and about 4 KB of memory in all.
//!
//! # Example
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::convert::Infallible;
//!
//! use gatewright_core::Body;
//! use gatewright_server::{Listener, Server};
//! use http::{Request, Response};
//!
//! let hello = tower::service_fn(|_: Request<Body>| async {
//!     Ok::<_, Infallible>(Response::new(Body::from("hello")))
//! });
//!
//! let server = Server::builder().listener(Listener::new("127.0.0.1:8080".parse()?)).bind()?;
//! println!("listening on {server}");
//! server.serve(hello).await?;
//! # Ok(()) }
//! ```
//!
//! Customised: TLS behind a load balancer that speaks PROXY protocol, a shorter limit, logged refusals, one worker per core,
//! and a drain.
//!
//! ```no_run
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::convert::Infallible;
//! # use gatewright_core::Body;
//! # use http::{Request, Response};
//! # let hello = tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
//! use std::{thread, time::Duration};
//!
//! use gatewright_server::{Limits, Listener, Server, TlsConfig};
//!
//! let listener = Listener::new("0.0.0.0:8443".parse()?)
//!     .name("public")
//!     .tls(TlsConfig::from_pem_files("api.pem", "api.key")?)
//!     .proxy_protocol(["10.0.0.0/8".parse()?]);
//! let server = Server::builder()
//!     .listener(listener)
//!     .limits(Limits::default().header_timeout(Duration::from_secs(5)))
//!     .on_refused(|refused| eprintln!("{} {}", refused.peer(), refused.reason()))
//!     .workers(thread::available_parallelism()?.get())
//!     .bind()?;
//!
//! let handle = server.handle();
//! let workers: Vec<_> = server
//!     .into_workers()
//!     .into_iter()
//!     .map(|worker| {
//!         let hello = hello.clone();
//!         thread::spawn(move || {
//!             let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//!             runtime.block_on(worker.serve(hello))
//!         })
//!     })
//!     .collect();
//!
//! // When the program is told to stop:
//! handle.drain(Duration::from_secs(30));
//! for worker in workers {
//!     let drained = worker.join().map_err(|_| "a worker panicked")??;
//!     println!("{} connections were cut", drained.cut());
//! }
//! # Ok(()) }
//! ```

// docs.rs names the feature of each item.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod connection;
#[cfg(feature = "tls")]
mod counts;
mod drain;
mod handle;
mod host_check;
mod http1;
mod http2;
mod limits;
mod listener;
mod opening;
mod refused;
mod server;
mod service;
mod socket;
#[cfg(test)]
mod still;
#[cfg(feature = "tls")]
mod tls;
mod transport;
mod worker;

pub use gatewright_http1::Names;
pub use handle::ServerHandle;
#[cfg(fuzzing)]
pub use http1::fuzzing;
pub use limits::Limits;
pub use listener::Listener;
pub use refused::Refused;
pub use server::{Server, ServerBuilder};
pub use socket::BindError;
#[cfg(feature = "tls")]
pub use tls::{ClientAuth, TlsConfig, TlsConfigBuilder, TlsError};
pub use worker::{Drained, Worker};

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
