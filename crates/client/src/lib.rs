//! Gatewright's outgoing connections: a pool of HTTP connections to one endpoint, the connector that opens them, TLS
//! towards the endpoint, and one resolver of names.
//!
//! 1. A [`Pool`] holds the connections to one endpoint. No request looks up an endpoint by its name.
//! 2. Each thread has its own idle list, so that threads do not wait for each other. In a work-stealing runtime, a thread
//!    whose list is empty takes a connection from another thread's list.
//! 3. An HTTP/1 connection goes back to the pool when its response has been read to the end. A connection whose response
//!    was left unread is closed.
//! 4. HTTP/1 is spoken by an engine of this crate, without a task of its own. HTTP/2 is spoken by hyper. A response that
//!    breaks the rules (RFC 9112) is an error, and its connection is closed.
//! 5. Idle connections are closed before the endpoint would close them ([`PoolBuilder::keep_alive`]).
//! 6. A request that never left, that was not processed or that nobody answered is given back
//!    ([`SendError::into_parts`]), so that it can be sent again where its method allows it.
//! 7. HTTP/2 streams are not reset faster than endpoints tolerate. A connection on which clients cancel too much serves
//!    no new streams, and closes when nobody waits for it any longer.
//! 8. Names are resolved whenever a connection is opened, so that an endpoint that has moved is found again.
//! 9. A pool whose endpoint gets no new requests is drained ([`Pool::drain`]). Requests that are under way end as usual.
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

// docs.rs shows the feature of each item.
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

/// How long an endpoint may take nothing of the rest of a request after its response is whole. A client that sends all
/// before it reads waits for its response as long. nginx and Envoy send nothing more of the request at that point.
const AFTER_RESPONSE: std::time::Duration = std::time::Duration::from_secs(1);

#[cfg(fuzzing)]
pub use http1::fuzzing;
pub use pool::{Connection, Pool, PoolBody, PoolBuilder, PoolStats, Protocol, Require, Sending, Taken};
pub use resolver::Resolver;
pub use send_error::SendError;
pub use target::{InvalidTarget, Target};
#[cfg(feature = "tls")]
pub use tls::{ClientTls, ClientTlsBuilder, ClientTlsError};

/// Compiles the code of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
