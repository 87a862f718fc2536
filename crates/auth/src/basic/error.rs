use std::{error::Error, io};

use gatewright_core::WatchedFileError;

use crate::ContentError;

/// Users and passwords that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct BasicError(Kind);

#[derive(Debug, thiserror::Error)]
enum Kind {
    #[error(transparent)]
    File(WatchedFileError),
    #[error("the users cannot be used")]
    Text(#[source] ContentError),
    #[error("{0}")]
    Setting(&'static str),
    #[error("the system provides no random bytes")]
    Random(#[source] io::Error),
}

impl BasicError {
    pub(super) fn file(error: WatchedFileError) -> Self {
        Self(Kind::File(error))
    }

    pub(super) fn text(error: ContentError) -> Self {
        Self(Kind::Text(error))
    }

    pub(super) fn setting(message: &'static str) -> Self {
        Self(Kind::Setting(message))
    }

    pub(super) fn random(error: io::Error) -> Self {
        Self(Kind::Random(error))
    }

    /// The problems in the content of the file, if its content is the reason.
    pub fn content(&self) -> Option<&ContentError> {
        match &self.0 {
            Kind::File(error) => error.source()?.downcast_ref(),
            Kind::Text(error) => Some(error),
            Kind::Setting(_) | Kind::Random(_) => None,
        }
    }
}
