//! Health, readiness, live statistics and a status page for a stack of Gatewright's layers.
//!
//! 1. [`Admin`] is a Tower service for a port of its own, or for a path within another service. It is read-only: `GET` and
//!    `HEAD`, and 405 for everything else.
//! 2. [`Live`] counts the requests of the stack. Counting allocates nothing and takes no lock, and memory is bounded.
//! 3. A request whose `Host` is a name is refused with 421 unless the name is `localhost` or was [allowed](AdminBuilder::host):
//!    a foreign page could otherwise reach a loopback address under a name of its own (DNS rebinding). `/healthz` and
//!    `/readyz` answer under any name, since they tell nothing.
//! 4. Responses have a strict `Content-Security-Policy`, are never stored, and can be read by no other origin. Nothing is
//!    loaded from elsewhere.
//! 5. Queries are shown without their values, and the configuration as its caller redacted it.
//!
//! | path | |
//! | --- | --- |
//! | `/healthz` | 200 while the process lives |
//! | `/readyz` | 200 while it serves, 503 while it drains |
//! | `/config` | the running configuration, redacted, with its hash |
//! | `/metrics` | the [metrics](AdminBuilder::metrics), as OpenMetrics or as Prometheus' text |
//! | `/` | the status page |
//! | `/api/summary`, `/api/routes`, `/api/upstreams`, `/api/requests`, `/api/reloads` | what the page shows, as JSON |
//! | `/api/events` | the last second, once a second, as server-sent events |
//!
//! # Example
//!
//! ```
//! use gatewright_admin::Admin;
//! use gatewright_trace::TraceLayer;
//! use http::Request;
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let admin = Admin::builder().build();
//! // In the stack whose requests are to be seen:
//! let trace = TraceLayer::new().observer(admin.observer());
//! // On another port, or mounted: axum's `Router::nest_service("/admin", admin.into_service())`, to be opened as `/admin/`.
//! let request = Request::get("/readyz").header("host", "localhost:9901").body(())?;
//! let response = admin.into_service().oneshot(request).await?;
//! assert_eq!(response.status(), 200);
//! # let _ = trace;
//! # Ok(())
//! # }
//! ```

mod admin;
mod answer;
mod api;
mod builder;
mod host;
mod live;
mod page;
mod reloads;
mod router;
mod service;
mod view;

pub use admin::Admin;
pub use builder::AdminBuilder;
pub use live::Live;
pub use reloads::{ChangeKind, Reload};
pub use service::{AdminFuture, AdminService};
pub use view::View;

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
