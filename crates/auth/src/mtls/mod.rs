//! Client certificates (mutual TLS) as identities.

mod authenticator;
mod certificate;
mod error;
mod forwarded;
mod san;
mod subject;

pub use authenticator::Mtls;
pub use error::MtlsError;

/// The name of the authenticator and the method of its principals.
const METHOD: &str = "mtls";

#[cfg(test)]
mod tests;
