//! Opaque tokens, of which their issuer is asked (RFC 7662).
//!
//! 1. A token is asked about once: who shows it meanwhile waits for the same answer.
//! 2. An answer that it is active holds until its `exp`, and no longer than a minute unless set: so long does a token
//!    go on that has been revoked. An answer that it is not holds for ten seconds.
//! 3. Without an answer in time, nobody comes in: 503.

mod answer;
mod authenticator;
mod builder;
mod flights;
mod settings;

pub use authenticator::{Introspection, IntrospectionFuture};
pub use builder::IntrospectionBuilder;
