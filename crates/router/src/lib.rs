//! From a request's host, path, method, headers and query to the service of its route, for any Tower service.
//!
//! 1. The path is made canonical first ([`gatewright_core::path`]) and written back into the request's URI, so that
//!    what is matched is what is forwarded. A path that has no canonical form is answered with 400.
//!    A path with a parameter (`/admin;x`) that without it belongs to another route is answered with 400 as well, since
//!    some services take parameters away; a route that names the parameter in its own path takes it.
//! 2. The host is that of the URI's authority, or else of the Host header, without port, in any case. A route's host
//!    is exact or `*.example.com`, which stands for any number of labels, but at least one.
//! 3. Which route takes a request that several could take is decided as the Kubernetes Gateway API does, whatever the
//!    order in which they were added:
//!    1. the exact host, then the longest wildcard, then routes without a host;
//!    2. the exact path, then the longest prefix or pattern, by segments; of the same length, literal segments go
//!       before `{name}`, and the whole path before `{*rest}` before a prefix; then regexes;
//!    3. a route that names a listener, then one that names a scheme, then one that names methods, then the one with more headers, then with more query parameters;
//!    4. the higher `priority`.
//! 4. A route whose listener, scheme, method, header or query does not fit gives way to the next one.
//! 5. When only the method does not fit, the answer is 405 with `Allow`; when no route fits, 404. HEAD is allowed where
//!    GET is, and of equals a route that names HEAD takes it.
//!    `OPTIONS *` is for no route: the answer is 204, with an `Allow` of the methods that the routes take. A route that
//!    names no method counts for the common ones. `*` with another method is 400.
//! 6. Two routes that can take the same request and have equal rank conflict, and [`RouterBuilder::build`] fails. Two
//!    regexes are taken to match the same path unless what they begin with, literally, rules it out. It fails too for a
//!    route that can never match.
//! 7. A route's service is any Tower service. Each request gets a clone of it, waits until that is ready, and boxes
//!    one future. An error of the service becomes a response ([`gatewright_core::problem`]).
//! 8. The route's name and the failure or refusal go into the request's [`RequestRecord`].
//!
//! [`RouterService::explain`] says which route takes a request, and why the other routes do not.
//!
//! What a lookup costs depends on the request's path, not on the number of routes; only routes that share host and
//! path are tried one after the other.
//!
//! [`RequestRecord`]: gatewright_core::RequestRecord
//!
//! # Example
//!
//! ```
//! use gatewright_core::Body;
//! use gatewright_router::RouterService;
//! # use http::{Request, Response};
//! # use std::convert::Infallible;
//! # let orders = tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
//! # let avatars = orders.clone();
//!
//! let router: RouterService = RouterService::builder()
//!     .path_prefix("/v1/orders", orders)
//!     .path("/v1/users/{id}/avatar", avatars)
//!     .build()?;
//! # Ok::<(), gatewright_router::BuildError>(())
//! ```
//!
//! Customised: a route for one host, some methods and a version, and one for what is left of the path.
//!
//! ```
//! use gatewright_core::Body;
//! use gatewright_router::{Route, RouterService};
//! use http::Method;
//! # use http::{Request, Response};
//! # use std::convert::Infallible;
//! # let payments = tower::service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
//! # let (beta, files) = (payments.clone(), payments.clone());
//!
//! let payments_route = Route::path_prefix("/v1/payments").methods([Method::POST]).host("*.example.com");
//! let router: RouterService = RouterService::builder()
//!     .route(payments_route.clone().name("payments"), payments)
//!     .route(payments_route.name("payments-beta").header("x-api-version", "2").query("beta", "1"), beta)
//!     .route(Route::path("/files/{*rest}").allow_encoded_slash(), files)
//!     .build()?;
//! # Ok::<(), gatewright_router::BuildError>(())
//! ```

mod arrival;
mod builder;
mod compile;
mod condition;
mod conflict;
mod decide;
mod draft;
mod erased;
mod error;
mod explain;
mod explanation;
mod failure;
mod future;
mod hash;
mod host;
mod path_regex;
mod refusal;
mod route;
mod route_info;
mod rule;
mod service;
mod table;
mod tree;

pub use builder::RouterBuilder;
pub use error::{BuildError, ProblemKind, RouteProblem};
pub use explanation::{Candidate, Explanation, Misfit, MisfitKind, Precedence, Standing, Verdict};
pub use future::RouterFuture;
pub use refusal::Refusal;
pub use route::Route;
pub use route_info::RouteInfo;
pub use service::RouterService;

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
