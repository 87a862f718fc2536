//! A router from the host, path, method, headers and query of a request to the service of its route, for any Tower service.
//!
//! 1. The path is made canonical first ([`gatewright_core::path`]) and written back into the request's URI, so that the
//!    matched path is also the forwarded path. A path without a canonical form is answered with 400. A path with a
//!    parameter (`/admin;x`) is answered with 400 too if the path without the parameter belongs to another route, since
//!    some services remove parameters. A route may name the parameter in its own path, and then takes it.
//! 2. The host comes from the URI's authority or else from the Host header, without a port, in any case. The host of a
//!    route is exact, or a wildcard such as `*.example.com`, which stands for one or more labels.
//! 3. If several routes fit a request, the precedence of the Kubernetes Gateway API decides. The order in which routes are
//!    added does not matter. The first of these rules that tells two routes apart decides:
//!    1. the exact host, then the longest wildcard, then routes without a host;
//!    2. the exact path, then the longest prefix or pattern, by segments; at equal length, literal segments go before
//!       `{name}`, and a whole path before `{*rest}` before a prefix; then regexes;
//!    3. a route that names a listener, then a scheme, then methods, then the route with more headers, then with more query
//!       parameters;
//!    4. the higher `priority`.
//! 4. A route whose listener, scheme, method, header or query does not fit gives way to the next one.
//! 5. If only the method does not fit, the answer is 405 with `Allow`. If no route fits, the answer is 404. GET includes
//!    HEAD, and at equal rank a route that names HEAD goes first. `OPTIONS *` goes to no route: the answer is 204, and its
//!    `Allow` lists the methods of all routes, where a route without methods counts for the common ones. `*` with another
//!    method is answered with 400.
//! 6. Two routes conflict if they can take the same request and have equal rank; [`RouterBuilder::build`] then fails. Two
//!    regexes count as matching the same path unless their literal prefixes exclude each other. `build` also fails for a
//!    route that can never match.
//! 7. The service of a route is any Tower service. Each request gets a clone, waits until the clone is ready, and boxes one
//!    future. An error of the service becomes a response ([`gatewright_core::problem`]).
//! 8. The route's name and the failure or refusal go into the request's [`RequestRecord`].
//!
//! [`RouterService::explain`] says which route takes a request, and why the other routes do not.
//!
//! The cost of a lookup depends on the request's path, not on the number of routes. Only routes that share host and path
//! are tried one after the other.
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
//! Customised: routes with a host, methods, a header and a query parameter, and a route with a pattern for the rest of the
//! path.
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
