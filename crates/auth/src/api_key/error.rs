use std::error::Error;

use gatewright_core::WatchedFileError;

use crate::ContentError;

/// API keys that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ApiKeysError(Kind);

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error(transparent)]
    File(WatchedFileError),
    #[error("the keys cannot be used")]
    Text(#[source] ContentError),
    #[error("{0}")]
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

    /// The problems in the content of the keys file, if its content is the reason.
    pub fn content(&self) -> Option<&ContentError> {
        match &self.0 {
            Kind::File(error) => error.source()?.downcast_ref(),
            Kind::Text(error) => Some(error),
            Kind::Setting(_) => None,
        }
    }
}
