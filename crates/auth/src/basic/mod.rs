//! Users and passwords in `Authorization: Basic` (RFC 7617), with an htpasswd-style file.

mod authenticator;
mod builder;
mod credentials;
mod error;
mod password;
mod users;
mod verification;
mod verified;
mod workers;

pub use authenticator::{Basic, BasicFuture};
pub use builder::BasicBuilder;
pub use error::BasicError;

/// The name of the authenticator and the method of its principals.
const METHOD: &str = "basic";

#[cfg(test)]
mod tests;
