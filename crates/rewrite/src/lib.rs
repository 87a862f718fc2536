//! Paths, hosts and headers rewritten, and redirects, for any Tower service.
//!
//! 1. Path rules are tried in the order in which they were given, on the canonical path ([`gatewright_core::path`]).
//!    The first rule that fits makes the new path. If no rule fits, the path stays as it is.
//! 2. The new path is checked again. A path that a capture or a mistake has made invalid (`..`, a broken escape, a
//!    backslash) is answered with 400. It is not resolved, since a client could then choose where it leads.
//! 3. Rewrites and redirects keep the query byte for byte. No capture of a path can begin a query.
//! 4. A new host is set in the Host header, and in the URI's authority if there is one, so that both agree.
//! 5. Headers are set, added and removed in the order given, after path and host. Headers that frame the message
//!    cannot be changed.
//! 6. A [`Redirect`] answers before the rewrites. A request that the redirect does not fit goes on to the rewrites.
//! 7. Response headers are changed in the service's responses, not in redirects and refusals.
//!
//! # Example
//!
//! ```
//! use gatewright_rewrite::RewriteLayer;
//!
//! // GET /v1/orders/7?x=1 goes on as GET /internal/orders/7?x=1.
//! let layer = RewriteLayer::new().replace_prefix("/v1/orders", "/internal/orders");
//! # let _ = layer;
//! ```
//!
//! Customised: a pattern, another host and headers in both directions; then a redirect.
//!
//! ```
//! use gatewright_rewrite::{Redirect, RewriteLayer};
//!
//! let avatars = RewriteLayer::new()
//!     .path_pattern("/v1/users/{id}/avatar", "/internal/avatars/{id}")?
//!     .host("users.internal")?
//!     .set_request_header("x-via", "gw")?
//!     .remove_request_header("cookie")?
//!     .remove_response_header("server")?;
//!
//! let moved = Redirect::permanent().scheme("https")?.regex(r"/legacy/(\d+)", "/v1/orders/$1")?;
//! let legacy = RewriteLayer::new().redirect(moved);
//! # let _ = (avatars, legacy);
//! # Ok::<(), gatewright_rewrite::RewriteError>(())
//! ```

mod error;
mod header_edit;
mod host;
mod layer;
mod path_rule;
mod redirect;
mod regex_rule;
mod rewrite;

pub use error::RewriteError;
pub use layer::{RewriteLayer, RewriteService};
pub use redirect::Redirect;
pub use rewrite::Rewrite;

/// The code of the README, so that it is compiled too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
