//! The keys of an issuer, and the sources that they come from.

mod certificate;
mod error;
mod jwk;
mod key;
mod key_set;
#[cfg(feature = "remote")]
mod remote;
mod source;
mod verifying_key;
mod wrong_format;

#[cfg(test)]
mod rfc_examples;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wycheproof;

pub use error::KeyError;
pub(crate) use key::Allowed;
pub(crate) use key_set::{KeySet, NoKey};
#[cfg(feature = "remote")]
pub use remote::RemoteJwksBuilder;
pub(crate) use source::Generation;
pub use source::Jwks;
