//! Allow and deny lists of addresses, and bounds on bodies, for any Tower service.
//!
//! 1. Of all networks that hold the client's address, in all lists of the layer, the network with the longest prefix
//!    decides. If an allowed and a denied network are equally long, the denied network decides.
//! 2. An address in no list is admitted if the layer has no allow list, and refused if it has one.
//! 3. The address is the client's address after trusted hops ([`ClientInfo`](gatewright_core::ClientInfo)), else the
//!    address of the connection's peer. Behind a load balancer, put the layer inside a
//!    [`ClientInfoLayer`](gatewright_core::ClientInfoLayer) that trusts the load balancer. Every layer with a list
//!    refuses a client whose address nobody knows, unless [`allow_unknown`](IpFilterLayer::allow_unknown) is set. An
//!    address is unknown if a trusted proxy does not name its client (PROXY protocol's `UNKNOWN`, an `unknown` or
//!    unreadable hop), or if neither the server nor a layer says who the peer is. In the second case the stack lacks a
//!    layer, and `tracing` gets one warning that names the layer.
//! 4. IPv4 mapped into IPv6 is IPv4, in lists as in requests.
//! 5. A list may be a file, which is read again when it changes. If the file cannot be read or has a mistake, the list
//!    stays as it was; at start this is an error.
//! 6. A refusal is 403 without any detail. The log has the reason `address_denied`, or `address_unknown` if nobody knows
//!    the address. However many networks a list has, a lookup costs about the same.
//! 7. [`BodyLimitLayer`] bounds the bytes of a request's body. The body streams.
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
//! Customised: an allow list of partners in a watched file, and one denied partner. The server is axum, whose
//! `ConnectInfo` holds the peer.
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
