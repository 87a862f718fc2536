use std::{error::Error, fmt, io};

use gatewright_core::WatchedFileError;

use crate::ContentError;

/// Users and passwords that cannot be used.
#[derive(Debug)]
pub struct BasicError(Kind);

#[derive(Debug)]
enum Kind {
    File(WatchedFileError),
    Text(ContentError),
    Setting(&'static str),
    Random(io::Error),
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

    /// What is wrong with the content of the file, when it is that.
    pub fn content(&self) -> Option<&ContentError> {
        match &self.0 {
            Kind::File(error) => error.source()?.downcast_ref(),
            Kind::Text(error) => Some(error),
            Kind::Setting(_) | Kind::Random(_) => None,
        }
    }
}

impl fmt::Display for BasicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::File(error) => error.fmt(f),
            Kind::Text(_) => f.write_str("the users cannot be used"),
            Kind::Setting(message) => f.write_str(message),
            Kind::Random(_) => f.write_str("the system gives no random bytes"),
        }
    }
}

impl Error for BasicError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Kind::File(error) => error.source(),
            Kind::Text(error) => Some(error),
            Kind::Setting(_) => None,
            Kind::Random(error) => Some(error),
        }
    }
}
