use std::{error::Error, fmt, io, path::Path, sync::Arc};

use crate::BoxError;

/// A file that cannot be read, or whose content cannot be used.
///
/// Cheap to clone. `Display` names the file; what is wrong with its content is [`source`](Error::source)'s to tell.
#[derive(Debug, Clone)]
pub struct WatchedFileError(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: Box<Path>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Unreadable(io::Error),
    Content(BoxError),
    Unwatched(io::Error),
}

impl WatchedFileError {
    pub(super) fn unreadable(path: &Path, error: io::Error) -> Self {
        Self::new(path, Kind::Unreadable(error))
    }

    pub(super) fn content(path: &Path, error: BoxError) -> Self {
        Self::new(path, Kind::Content(error))
    }

    pub(super) fn unwatched(path: &Path, error: io::Error) -> Self {
        Self::new(path, Kind::Unwatched(error))
    }

    fn new(path: &Path, kind: Kind) -> Self {
        Self(Arc::new(Inner { path: path.into(), kind }))
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether the file was read, and its content is at fault.
    pub fn is_content(&self) -> bool {
        matches!(self.0.kind, Kind::Content(_))
    }
}

impl fmt::Display for WatchedFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.0.path.display();
        match &self.0.kind {
            Kind::Unreadable(error) if error.kind() == io::ErrorKind::Other => {
                write!(f, "cannot read {path}: {error}")
            }
            Kind::Unreadable(error) => write!(f, "cannot read {path}: {}", error.kind()),
            Kind::Content(_) => write!(f, "{path} cannot be used"),
            Kind::Unwatched(error) => write!(f, "cannot watch {path}: {}", error.kind()),
        }
    }
}

impl Error for WatchedFileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.kind {
            Kind::Unreadable(error) | Kind::Unwatched(error) => Some(error),
            Kind::Content(error) => Some(&**error),
        }
    }
}
