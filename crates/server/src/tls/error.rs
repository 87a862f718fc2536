use gatewright_core::BoxError;

/// A TLS configuration cannot be used. The message names the file at fault and the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
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

    /// The setting at fault: `cert`, `key`, `client_ca`, `crl`, or `tls` as a whole.
    pub fn field(&self) -> &'static str {
        self.field
    }
}
