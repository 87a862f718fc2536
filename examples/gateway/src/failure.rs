//! Why a command did not do what it should, as a newcomer needs to be told.

use std::fmt;

use gatewright::{config::Diagnostics, server::BindError};

/// Text for stderr.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// An address that cannot be listened on.
    pub(crate) fn bind(error: &BindError) -> Self {
        let why = std::error::Error::source(error).map(|source| format!(" ({source})")).unwrap_or_default();
        Self(format!(
            "error: {error}{why}\n  help: end what listens there, or write another address into the file"
        ))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        let count = match diagnostics.len() {
            1 => "1 error".to_owned(),
            count => format!("{count} errors"),
        };
        Self(format!("{diagnostics}\n{}: {count}", diagnostics.file().display()))
    }
}
