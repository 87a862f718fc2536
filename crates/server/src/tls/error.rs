//! What may be wrong with a TLS configuration.

use std::{error::Error, fmt};

use gatewright_core::BoxError;

/// A TLS configuration that cannot be used. It says which file is at fault, and what to do.
#[derive(Debug)]
pub struct TlsError {
    message: String,
    source: Option<BoxError>,
}

impl TlsError {
    fn new(message: String, source: Option<BoxError>) -> Self {
        Self { message, source }
    }

    pub(super) fn unreadable(label: &str, error: std::io::Error) -> Self {
        Self::new(format!("cannot read {label}: {}", error.kind()), Some(error.into()))
    }

    pub(super) fn not_pem(label: &str, error: impl Into<BoxError>) -> Self {
        Self::new(format!("{label} is not valid PEM"), Some(error.into()))
    }

    pub(super) fn holds_no(label: &str, what: &str) -> Self {
        Self::new(format!("{label} holds no {what}"), None)
    }

    pub(super) fn encrypted(label: &str) -> Self {
        Self::new(format!("the private key in {label} is encrypted; store it without a passphrase"), None)
    }

    pub(super) fn key(label: &str, error: impl Into<BoxError>) -> Self {
        Self::new(format!("the private key in {label} cannot be used"), Some(error.into()))
    }

    pub(super) fn certificate(label: &str, error: impl Into<BoxError>) -> Self {
        Self::new(format!("the certificate in {label} cannot be used"), Some(error.into()))
    }

    pub(super) fn mismatch(chain: &str, key: &str) -> Self {
        Self::new(format!("the private key in {key} does not belong to the certificate in {chain}"), None)
    }

    pub(super) fn client_policy(message: &str, error: Option<BoxError>) -> Self {
        Self::new(message.to_owned(), error)
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for TlsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
