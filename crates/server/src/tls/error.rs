//! What may be wrong with a TLS configuration.

use std::{error::Error, fmt};

use gatewright_core::BoxError;

/// A TLS configuration that cannot be used. It says which file is at fault, and what to do.
#[derive(Debug)]
pub struct TlsError {
    field: &'static str,
    message: String,
    source: Option<BoxError>,
}

impl TlsError {
    pub(super) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Self { field, message: message.into(), source: None }
    }

    pub(super) fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What is at fault: `cert`, `key`, `client_ca`, `crl`, or `tls` as a whole.
    pub fn field(&self) -> &'static str {
        self.field
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
