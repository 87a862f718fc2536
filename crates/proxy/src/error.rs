//! Why a proxy or an upstream cannot be built.

use gatewright_client::InvalidTarget;

/// A proxy or an upstream cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProxyError(String);

impl ProxyError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl From<InvalidTarget> for ProxyError {
    fn from(invalid: InvalidTarget) -> Self {
        Self(invalid.to_string())
    }
}
