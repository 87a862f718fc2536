//! How often each caller may come, for any Tower service.
//!
//! 1. A [`Quota`] is a bucket: it holds the burst, refills evenly at its rate, and each request takes its cost out of
//!    it (GCRA, with exact arithmetic: no rate drifts by rounding). A bucket that has not enough refuses with 429.
//! 2. A layer may hold several quotas for one key, per second and per day say, and other limits with other keys
//!    [beside](RateLimitLayer::beside) it. A request that one of them refuses takes nothing from the others. Two layers
//!    around each other do not know of each other: what the outer one took stays taken when the inner one refuses.
//! 3. The [`Key`] says whose requests are counted together. A request without it is counted by its client's address or
//!    refused; it never goes uncounted. Behind a load balancer the client's address is right only inside a
//!    [`ClientInfoLayer`](gatewright_core::ClientInfoLayer) that trusts it.
//! 4. A consumer may have quotas of its own: those that its principal carries, else those of the layer's table.
//! 5. Buckets live in a [`LocalStore`], bounded in number. Only full buckets are evicted, so that nobody gains by it,
//!    and new keys share one bucket while there is no room. With the feature `redis` they live in a `RedisStore`,
//!    shared by all nodes.
//! 6. Responses, admitted or refused, say what is left in `RateLimit` and `RateLimit-Policy`
//!    (draft-ietf-httpapi-ratelimit-headers-10); a refusal has a `Retry-After` besides, in whole seconds rounded up.
//! 7. A dry run refuses nobody and counts whom it would have refused.
//! 8. [`ConcurrencyLimitLayer`] bounds how many requests of a key are under way at once, until their response bodies
//!    have ended.
//!
//! `tower::limit` has layers of almost the same names that mean other things: those make a service unready for all
//! its callers alike, these answer each caller for itself.
//!
//! # Example
//!
//! 50 requests a second for each caller, 100 of them at once:
//!
//! ```
//! use gatewright_rate_limit::{Key, Quota, RateLimitLayer};
//! use http::{Request, Response, StatusCode};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let service = ServiceBuilder::new()
//!     .layer(RateLimitLayer::new(Quota::per_second(50).burst(100)).key(Key::principal_or_ip()))
//!     .service(service_fn(async |_: Request<String>| Ok::<_, std::convert::Infallible>(Response::new(String::new()))));
//!
//! let response = service.oneshot(Request::new(String::new())).await?;
//! assert_eq!(response.status(), StatusCode::OK);
//! assert_eq!(response.headers()["ratelimit-policy"], r#""second";q=100;w=2"#);
//! assert_eq!(response.headers()["ratelimit"], r#""second";r=99;t=1"#);
//! # Ok(())
//! # }
//! ```
//!
//! Customised: a search that costs ten, a daily quota beside the one per second, one consumer that pays for more, and a
//! tenant that is known by a header; at first on trial.
//!
//! ```
//! use gatewright_rate_limit::{Key, LocalStore, Quota, RateLimitLayer};
//! use http::HeaderName;
//!
//! let layer = RateLimitLayer::new(Quota::per_second(20).burst(40))
//!     .and(Quota::per_day(10_000))
//!     .name("search")
//!     .key(Key::principal().and(Key::header(HeaderName::from_static("x-tenant")).or_refuse()))
//!     .consumer("acme", [Quota::per_second(200), Quota::per_day(1_000_000)])
//!     .cost_of(|request| if request.uri.path().ends_with("/search") { 10 } else { 1 })
//!     .store(LocalStore::new().max_keys(50_000))
//!     .legacy_headers()
//!     .dry_run();
//! assert_eq!(layer.counts().would_refuse(), 0);
//! ```

mod concurrency;
mod gcra;
mod headers;
mod key;
mod layer;
mod limits;
mod own_limits;
mod policy;
#[cfg(feature = "redis")]
mod redis;
mod store;
#[cfg(feature = "tower-governor")]
mod tower_governor;
mod verdict;

pub use concurrency::{ConcurrencyLimit, ConcurrencyLimitLayer};
pub use gatewright_core::{NotAQuota, Quota};
pub use key::Key;
pub use layer::{RateLimitLayer, RateLimitService};
pub use policy::{Admission, Counts, RateLimit, RateLimitFuture};
#[cfg(feature = "redis")]
pub use redis::{NotARedisUrl, RedisStore, RedisStoreBuilder};
pub use store::{LocalStore, Store};

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
