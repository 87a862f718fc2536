//! API keys: a secret of 256 random bits that a caller sends with each request.

mod authenticator;
mod builder;
mod date;
mod error;
mod hasher;
mod keys_file;
mod new_key;
mod places;
mod records;
mod secret;
mod table;

pub use authenticator::ApiKeys;
pub use builder::ApiKeysBuilder;
pub use error::ApiKeysError;
pub use new_key::{NewApiKey, NewApiKeyBuilder, NewApiKeyError};

/// The name of the authenticator and the method of its principals.
const METHOD: &str = "api_key";

#[cfg(test)]
mod tests;
