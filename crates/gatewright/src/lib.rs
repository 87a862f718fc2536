//! Tower layers from which to stack an API gateway.
//!
//! An API gateway is the one public front door: it checks who calls, applies policy, picks the internal service, adapts
//! the traffic, and leaves one trace and one log line behind. Each of these is a layer here. They run under axum, plain
//! hyper or any other server that takes a Tower service, and a stack of them is a service like any other.
//!
//! 1. Layers take any body and any inner service. Where one concrete body is needed, it is [`Body`].
//! 2. A refusal is a response (`application/problem+json`, RFC 9457, or gRPC to a gRPC client), a failure is an error. [`RouterService`] turns
//!    errors into responses, so that it never fails.
//! 3. What layers know of a request they write into its [`RequestRecord`], and the outermost reads it when the request
//!    has ended.
//! 4. Features are additive: one more never changes what the others do.
//!
//! # Example
//!
//! ```
//! use std::time::Duration;
//!
//! use gatewright::{Body, ProxyService, RouterService, TraceLayer};
//! use http::{Request, StatusCode};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let orders = ProxyService::builder().target("order-service:8080").timeout(Duration::from_secs(5)).build()?;
//! let payments = ProxyService::builder().target("payment-service:8080").build()?;
//!
//! let gateway = ServiceBuilder::new().layer(TraceLayer::new()).service(
//!     RouterService::builder()
//!         .path_prefix("/v1/orders", orders)
//!         .path_prefix("/v1/payments", payments)
//!         .build()?,
//! );
//!
//! let response = gateway.oneshot(Request::get("/v2/orders").body(Body::empty())?).await?;
//! assert_eq!(response.status(), StatusCode::NOT_FOUND);
//! assert_eq!(response.headers()["content-type"], "application/problem+json");
//! assert_eq!(response.headers()["x-request-id"].len(), 32);
//! # Ok(())
//! # }
//! ```
//!
//! Customised: a policy of one's own before a route, behind a load balancer that may speak for its clients.
//!
//! ```
//! use gatewright::{
//!     Body, ClientInfoLayer, Decision, Immediate, Policy, PolicyLayer, ProxyService, Rejection, Route, RouterService,
//!     TraceLayer,
//! };
//! use http::{StatusCode, request::Parts};
//! use tower::ServiceBuilder;
//!
//! struct Maintenance;
//!
//! impl Policy for Maintenance {
//!     type Grant = ();
//!     type Future = Immediate;
//!
//!     fn name(&self) -> &'static str {
//!         "maintenance"
//!     }
//!
//!     fn decide(&self, request: &mut Parts) -> Decision<(), Immediate> {
//!         if request.method.is_safe() {
//!             return Decision::Allow(());
//!         }
//!         let refusal = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, self.name(), "read_only");
//!         Decision::Refuse(refusal.detail("Orders cannot be changed just now."))
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let orders = ServiceBuilder::new()
//!     .layer(PolicyLayer::new(Maintenance))
//!     .service(ProxyService::builder().target("order-service:8080").build()?);
//!
//! let gateway = ServiceBuilder::new()
//!     .layer(ClientInfoLayer::new().trust("10.0.0.0/8".parse()?))
//!     .layer(TraceLayer::new())
//!     .service(
//!         RouterService::<Body>::builder()
//!             .route(Route::path_prefix("/v1/orders").host("api.example.com"), orders)
//!             .build()?,
//!     );
//! # let _ = gateway;
//! # Ok(())
//! # }
//! ```
//!
//! # The crates
//!
//! Each module is a crate of its own, behind the feature of the same name; [`core`] is always there.
//!
//! | module | crate | |
//! | --- | --- | --- |
//! | [`core`] | `gatewright-core` | what layers share: bodies, records, refusals, errors, policies |
//! | [`auth`] | `gatewright-auth` | [`AuthLayer`]: who calls, by token, API key, client certificate or password |
//! | [`client`] | `gatewright-client` | connections outward: pool, connector, TLS, names (feature `proxy`) |
//! | [`guard`] | `gatewright-guard` | [`IpFilterLayer`]: allow and deny lists of addresses |
//! | [`proxy`] | `gatewright-proxy` | [`ProxyService`], which forwards |
//! | [`rate_limit`] | `gatewright-rate-limit` | [`RateLimitLayer`], [`ConcurrencyLimitLayer`]: how often, and how many at once |
//! | [`rewrite`] | `gatewright-rewrite` | [`RewriteLayer`]: paths, hosts, headers, redirects |
//! | [`router`] | `gatewright-router` | [`RouterService`], from a request to the stack of its route |
//! | [`trace`] | `gatewright-trace` | [`TraceLayer`]: ids, trace context, access log |
//!
//! Three more are for whole gateways and off by default: `server` (listeners with strict framing, limits and drain),
//! `config` (the YAML file, and the gateway assembled from it) and `admin` (health, live statistics and the status page). `tls` brings TLS to whichever of them is there. The
//! [README](https://github.com/gatewright/gatewright/tree/main/crates/gatewright#readme) has a table of all features.
//!
//! # The order of layers
//!
//! Outermost first. Each stands where it does so that the ones inside may rely on it:
//!
//! 1. [`ClientInfoLayer`]: who the client is, after trusted hops. All that follows asks for that.
//! 2. [`TraceLayer`]: ids and the access log. What is refused further in still has an id and leaves a line.
//! 3. A layer that turns panics into responses (`tower_http::catch_panic`), so that the log sees the 500.
//! 4. [`RouterService`], and then in each route's own stack:
//! 5. CORS, lists of addresses, limits by address, authentication, limits by principal, WAF, contracts: whatever
//!    refuses, the cheap before the dear, and CORS before all so that its preflights cost no quota.
//! 6. [`RewriteLayer`], after everything that judges the path the client asked for.
//! 7. [`ProxyService`], innermost.
//!
//! `Stack` puts the layers of a route in this order by itself. A [`PolicyLayer`] of your own goes where its policy belongs
//! in this list.
//!
//! # Not to be confused
//!
//! There is no prelude to import by `*`, since some of these names exist elsewhere and mean other things.
//! [`TraceLayer`] writes ids and an access log, whereas `tower_http::trace::TraceLayer` opens `tracing` spans; the two
//! may stand in one stack. [`RateLimitLayer`] answers each caller for itself, whereas `tower::limit::RateLimitLayer` makes
//! the service unready for all of them.

// docs.rs names the feature of each item.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "auth", feature = "guard", feature = "rate-limit", feature = "rewrite"))]
mod stack;

pub use gatewright_core as core;

#[cfg(feature = "admin")]
pub use gatewright_admin as admin;
#[cfg(feature = "auth")]
pub use gatewright_auth as auth;
#[cfg(feature = "proxy")]
pub use gatewright_client as client;
#[cfg(feature = "config")]
pub use gatewright_config as config;
#[cfg(feature = "guard")]
pub use gatewright_guard as guard;
#[cfg(feature = "proxy")]
pub use gatewright_proxy as proxy;
#[cfg(feature = "rate-limit")]
pub use gatewright_rate_limit as rate_limit;
#[cfg(feature = "rewrite")]
pub use gatewright_rewrite as rewrite;
#[cfg(feature = "router")]
pub use gatewright_router as router;
#[cfg(feature = "server")]
pub use gatewright_server as server;
#[cfg(feature = "trace")]
pub use gatewright_trace as trace;

pub use gatewright_core::{
    Body, BodyPolicy, BodyPolicyLayer, BoxError, ClientInfo, ClientInfoLayer, Decision, Error, ErrorKind,
    Immediate, Label, LabelKind, Lease, Policy, PolicyLayer, PolicyList, Principal, Rejection, RejectionLayer,
    ReplyFormat, RequestRecord, ResponseBody, policy_fn,
};

#[cfg(feature = "auth")]
pub use gatewright_auth::{ApiKeys, AuthLayer, Jwks, Jwt, Mtls};
#[cfg(feature = "guard")]
pub use gatewright_guard::{BodyLimitLayer, IpFilterLayer, IpList};
#[cfg(feature = "proxy")]
pub use gatewright_proxy::{ProxyService, Retries, Upstream};
#[cfg(feature = "rate-limit")]
pub use gatewright_rate_limit::{ConcurrencyLimitLayer, Key, LocalStore, Quota, RateLimitLayer};
#[cfg(feature = "rewrite")]
pub use gatewright_rewrite::{Redirect, Rewrite, RewriteLayer};
#[cfg(feature = "router")]
pub use gatewright_router::{Route, RouterService};
#[cfg(feature = "metrics")]
pub use gatewright_trace::Metrics;
#[cfg(feature = "trace")]
pub use gatewright_trace::{AccessLog, EndedRequest, Observer, TraceLayer};

#[cfg(all(feature = "auth", feature = "guard", feature = "rate-limit", feature = "rewrite"))]
pub use stack::{Stack, StackService};

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
