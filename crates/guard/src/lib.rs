//! Allow and deny lists of addresses, and bounds on bodies, for any Tower service.
//!
//! 1. Of all networks that hold the client's address, in all lists of the layer, the one with the longest prefix
//!    decides. Of two that are equally long, the one that denies does.
//! 2. An address in no list is admitted, unless there is an allow list: then only what is in one is.
//! 3. The address is the client's after trusted hops ([`ClientInfo`](gatewright_core::ClientInfo)), else the peer of
//!    the connection. Behind a load balancer that is right only inside a
//!    [`ClientInfoLayer`](gatewright_core::ClientInfoLayer) that trusts it. A client whose address nobody knows is refused
//!    by every layer that has a list, unless [`allow_unknown`](IpFilterLayer::allow_unknown) says otherwise: there is
//!    neither hop nor peer, or a trusted proxy cannot name its client (PROXY protocol's `UNKNOWN`, an `unknown` or
//!    unreadable hop).
//! 4. IPv4 mapped into IPv6 is IPv4, in lists as in requests.
//! 5. A list may be a file, which is read again when it changes. A file that cannot be read or has a mistake leaves
//!    the list as it was; at start it is an error.
//! 6. A refusal is 403 without any detail, `address_denied` in the log, or `address_unknown` where nobody knows the address.
//!    However many networks a list has, a lookup costs about the same.
//! 7. [`BodyLimitLayer`] bounds the bytes of a request's body, which streams through.
//!
//! # Example
//!
//! ```
//! use gatewright_guard::IpFilterLayer;
//!
//! // The office, and nobody else.
//! let layer = IpFilterLayer::new().allow("192.0.2.0/24".parse()?);
//! # let _ = layer;
//! # Ok::<(), gatewright_guard::NotANetwork>(())
//! ```
//!
//! Customised: partners from a file that reloads by itself, but for one of them; under axum, whose `ConnectInfo` holds
//! the peer.
//!
//! ```
//! # #[derive(Clone)] struct ConnectInfo(std::net::SocketAddr);
//! use gatewright_core::{Body, ClientInfoLayer};
//! use gatewright_guard::{IpFilterLayer, IpList};
//! use http::{Request, Response, StatusCode};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = std::env::temp_dir().join(format!("gatewright-guard-{}", std::process::id()));
//! # std::fs::create_dir_all(&folder)?;
//! # let path = folder.join("partners.txt");
//! # std::fs::write(&path, "203.0.113.0/24 # Acme\n")?;
//! let service = ServiceBuilder::new()
//!     .layer(ClientInfoLayer::new().peer_from(|extensions| extensions.get::<ConnectInfo>().map(|info| info.0)))
//!     .layer(IpFilterLayer::new().allow_list(IpList::open(&path)?).deny("203.0.113.7".parse()?))
//!     .service(service_fn(async |_: Request<Body>| Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))));
//!
//! for (peer, status) in [("203.0.113.1:999", StatusCode::OK), ("203.0.113.7:999", StatusCode::FORBIDDEN)] {
//!     let request = Request::get("/").extension(ConnectInfo(peer.parse()?)).body(Body::empty())?;
//!     assert_eq!(service.clone().oneshot(request).await?.status(), status);
//! }
//! # std::fs::remove_dir_all(&folder)?;
//! # Ok(())
//! # }
//! ```

mod body_limit;
mod file;
mod layer;
mod list;
mod policy;
mod prefixes;
mod table;

pub use body_limit::{BodyLimit, BodyLimitLayer, BodyLimitService};
pub use gatewright_core::{IpNetwork, NotANetwork};
pub use layer::{IpFilterLayer, IpFilterService};
pub use list::{IpList, IpListError};
pub use policy::IpFilter;

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
