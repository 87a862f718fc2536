//! Gatewright's connections outward: a pool of HTTP connections to one endpoint, the connector that opens them,
//! TLS towards the endpoint, and the one resolver of names.
//!
//! 1. A [`Pool`] holds the connections to one endpoint. There is no lookup by name on the way of a request.
//! 2. Each thread has an idle list of its own, so that threads meet at no lock. In a work-stealing runtime a
//!    thread that finds its list empty takes a connection from another's.
//! 3. An HTTP/1 connection goes back when its response has been read to the end, and only then; a connection whose
//!    response was left unread is closed.
//! 4. HTTP/1 is spoken by an engine of this crate, without a task of its own; HTTP/2 by hyper. A response that breaks
//!    the rules (RFC 9112) is an error, and its connection is closed.
//! 5. Idle connections are closed before the endpoint would close them ([`PoolBuilder::keep_alive`]).
//! 6. A request that never left, that was not processed or that nobody answered is given back
//!    ([`SendError::into_parts`]), so that it can be sent again where its method allows it.
//! 7. Resets of HTTP/2 streams come no faster than endpoints put up with. A connection on which clients cancel too
//!    much serves no new streams, and closes when nobody waits for it any more.
//! 8. Names are resolved when a connection is opened, so that an endpoint that moved is found by itself.
//!
//! # Example
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use gatewright_client::{Pool, PoolBuilder, Require};
//! use gatewright_core::Body;
//!
//! let pool: Pool<Body> = PoolBuilder::new("127.0.0.1:8080".parse()?).build();
//! let connection = pool.checkout(Require::Any).await?;
//! let request = http::Request::get("/").header("host", "localhost").body(Body::empty())?;
//! let response = connection.send(request).await?;
//! assert!(response.status().is_success());
//! # Ok(()) }
//! ```
//!
//! Customised: cleartext HTTP/2, at most four connections.
//!
//! ```
//! use gatewright_client::{Pool, PoolBuilder, Protocol};
//! use gatewright_core::Body;
//!
//! let pool: Pool<Body> = PoolBuilder::new("127.0.0.1:50051".parse().unwrap())
//!     .protocol(Protocol::Http2)
//!     .max_connections(4)
//!     .build();
//! # let _ = pool;
//! ```

// docs.rs names the feature of each item.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod connect;
mod http1;
mod pool;
mod resolver;
mod response_timer;
mod send_error;
mod stream;
mod target;
#[cfg(feature = "tls")]
mod tls;

/// How long an endpoint whose response is whole may take nothing of the rest of the request. A client that reads when it
/// has sent all waits as long for its response; nginx and Envoy send nothing more of the request from there on.
const AFTER_RESPONSE: std::time::Duration = std::time::Duration::from_secs(1);

#[cfg(fuzzing)]
pub use http1::fuzzing;
pub use pool::{Connection, Pool, PoolBody, PoolBuilder, Protocol, Require, Sending, Taken};
pub use resolver::Resolver;
pub use send_error::SendError;
pub use target::{InvalidTarget, Target};
#[cfg(feature = "tls")]
pub use tls::{ClientTls, ClientTlsBuilder, ClientTlsError};

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
