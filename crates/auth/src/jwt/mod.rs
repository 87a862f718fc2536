//! JSON Web Tokens (RFC 7519), verified as RFC 8725 advises.

mod algorithm;
mod authenticator;
mod claims;
mod fault;
mod issuer;
mod steps;
mod token;
mod verifier;

pub(crate) use algorithm::KeyKind;
pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use authenticator::Jwt;
#[cfg(feature = "remote")]
pub(crate) use claims::{check_audience, time};
pub use steps::{JwtWithoutAudience, JwtWithoutIssuer};
pub use verifier::JwtFuture;
