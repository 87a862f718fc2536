use std::{error::Error, fmt};

use gatewright_core::WatchedFileError;

use crate::ContentError;

/// API keys that cannot be used.
#[derive(Debug)]
pub struct ApiKeysError(Kind);

#[derive(Debug)]
enum Kind {
    File(WatchedFileError),
    Text(ContentError),
    Setting(&'static str),
}

impl ApiKeysError {
    pub(super) fn file(error: WatchedFileError) -> Self {
        Self(Kind::File(error))
    }

    pub(super) fn text(error: ContentError) -> Self {
        Self(Kind::Text(error))
    }

    pub(super) fn setting(message: &'static str) -> Self {
        Self(Kind::Setting(message))
    }

    /// What is wrong with the content of the keys file, when it is that.
    pub fn content(&self) -> Option<&ContentError> {
        match &self.0 {
            Kind::File(error) => error.source()?.downcast_ref(),
            Kind::Text(error) => Some(error),
            Kind::Setting(_) => None,
        }
    }
}

impl fmt::Display for ApiKeysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(error) => error.fmt(f),
            Kind::Text(_) => f.write_str("the keys cannot be used"),
            Kind::Setting(message) => f.write_str(message),
        }
    }
}

impl Error for ApiKeysError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Kind::File(error) => error.source(),
            Kind::Text(error) => Some(error),
            Kind::Setting(_) => None,
        }
    }
}
