use std::{
    fs::{self, Metadata},
    path::Path,
};

/// What tells one state of a file from another, without reading it.
///
/// Any way to put another content in a file's place (a write, a rename, a symlink that is swapped) changes it, and so
/// does a permission that was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStamp {
    size: u64,
    #[cfg(unix)]
    unix: Unix,
    #[cfg(not(unix))]
    modified: Option<std::time::SystemTime>,
}

#[cfg(unix)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unix {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileStamp {
    /// The stamp of the file that is there now; `None` when there is none that one may look at.
    pub fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::new(&metadata))
    }

    /// The stamp of a file that is open: no other one can take its place between the look and the reading.
    #[cfg(unix)]
    pub fn new(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;

        let unix = Unix {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        };
        Self { size: metadata.size(), unix }
    }

    /// The stamp of a file that is open: no other one can take its place between the look and the reading.
    #[cfg(not(unix))]
    pub fn new(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok() }
    }
}
