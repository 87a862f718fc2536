//! Why a command did not do what it should, as a newcomer needs to be told.

use std::io;

use gatewright::{config::Diagnostics, server::BindError};

/// Text for stderr.
#[derive(Debug)]
pub(crate) struct Failure(Option<String>);

impl Failure {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(Some(text.into()))
    }

    /// One that was told already.
    pub(crate) fn told() -> Self {
        Self(None)
    }

    /// The text, unless it was told already.
    pub(crate) fn text(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// An address that cannot be listened on, and what else can be done about it than to end what listens there.
    pub(crate) fn bind(error: &BindError, else_help: &str) -> Self {
        let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
        let why = source.map(|source| format!(" ({source})")).unwrap_or_default();
        let help = match source.map(io::Error::kind) {
            Some(io::ErrorKind::AddrInUse) | None => "end what listens there",
            Some(io::ErrorKind::PermissionDenied) => {
                "ports below 1024 need the capability `CAP_NET_BIND_SERVICE`: give it to the process"
            }
            Some(io::ErrorKind::AddrNotAvailable) => "give the address to an interface of this machine",
            Some(_) => "mend what the system says",
        };
        Self::new(format!("error: {error}{why}\n  help: {help}, or {else_help}"))
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        let errors = count(diagnostics.errors(), "error");
        let warnings = match diagnostics.len() - diagnostics.errors() {
            0 => String::new(),
            warnings => format!(", {}", count(warnings, "warning")),
        };
        Self::new(format!("{diagnostics}\n{}: {errors}{warnings}", diagnostics.file().display()))
    }
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
