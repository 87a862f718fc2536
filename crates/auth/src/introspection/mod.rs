//! Opaque tokens, which their issuer is asked about (RFC 7662).
//!
//! 1. The issuer is asked once about a token. Requests that show it in the meantime wait for the same answer.
//! 2. The answer that a token is active holds until its `exp`, and for a minute at most unless set. A revoked token
//!    stays valid for that long. The answer that a token is not active holds for ten seconds.
//! 3. Without an answer in time, the request is refused with 503.

mod answer;
mod authenticator;
mod builder;
mod flights;
mod settings;

pub use authenticator::{Introspection, IntrospectionFuture};
pub use builder::IntrospectionBuilder;
