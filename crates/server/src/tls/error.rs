//! What may be wrong with a TLS configuration.

use std::{error::Error, fmt};

use gatewright_core::{BoxError, KeyFile, KeyFilePart};

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

    /// A file without the part that is wanted of it; what it holds instead is said, and what mends it.
    pub(super) fn holds_no(label: &str, part: KeyFilePart, content: &[u8]) -> Self {
        let found = KeyFile::of(content);
        let mut message = match part {
            KeyFilePart::PrivateKey if found.is_encrypted_key() => {
                format!("the private key in {label} is encrypted; store it without a passphrase")
            }
            _ if found.is_empty() => format!("{label} is empty, and is to hold a {part}"),
            _ => format!("{label} holds no {part}, but {found}"),
        };
        if let Some(command) = found.remedy(part, label) {
            message = format!("{message}: {command}");
        }
        Self::new(message, None)
    }

    pub(super) fn swapped(chain: &str, key: &str) -> Self {
        Self::new(
            format!("{chain} holds a private key, and {key} a certificate: the two have changed places"),
            None,
        )
    }

    pub(super) fn disordered(chain: &str, key: &str, place: usize) -> Self {
        Self::new(
            format!(
                "the private key in {key} belongs to certificate {place} in {chain}, which has to be the first: put each certificate \
                 before that of its issuer, as in `cat server.pem intermediate.pem`"
            ),
            None,
        )
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
