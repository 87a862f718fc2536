use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The files that a configuration was read from, as they were when they were read: its own, the certificates and
/// keys that it names, the secrets.
///
/// ```
/// # let folder = std::env::temp_dir().join(format!("gatewright-files-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// # let path = folder.join("gateway.yaml");
/// # std::fs::write(&path, "routes: [{path_prefix: /, upstream: 'orders:8080'}]")?;
/// use gatewright_config::Config;
///
/// let config = Config::load(&path)?;
/// assert_eq!(config.files().now(), *config.files());
/// std::fs::write(&path, "routes: [{path_prefix: /v1, upstream: 'orders:8080'}]")?;
/// assert_ne!(config.files().now(), *config.files());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Files(Vec<(PathBuf, Option<Stamp>)>);

/// What tells one state of a file from another, without reading it: any way to put another content in its place (a write,
/// a rename, a symlink that is swapped) changes one of these, and so does a permission that was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Files {
    /// Their paths.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(path, _)| path.as_path())
    }

    /// The same files as they are now. While none has changed, the two are equal.
    pub fn now(&self) -> Self {
        Self(self.0.iter().map(|(path, _)| (path.clone(), Stamp::of(path))).collect())
    }

    /// Reads a file and notes it, also when it cannot be read: it may come to be.
    pub(crate) fn open(&mut self, path: &Path) -> io::Result<File> {
        // The stamp is that of the file that is read, not of one that takes its place meanwhile.
        let opened = File::open(path).and_then(|file| Ok((Stamp::new(&file.metadata()?), file)));
        let (stamp, file) = match opened {
            Ok((stamp, file)) => (Some(stamp), Ok(file)),
            Err(error) => (Stamp::of(path), Err(error)),
        };
        // Of a file that is read twice, the earlier state counts, so that a change in between shows.
        if self.paths().all(|known| known != path) {
            self.0.push((path.to_owned(), stamp));
        }
        file
    }
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|metadata| Self::new(&metadata))
    }

    fn new(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// What went wrong with a file, as people say it.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::unix::fs::symlink};

    use super::*;

    /// A folder that is removed when the test ends.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("gatewright-stamps-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("a folder");
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn read(path: &Path) -> Files {
        let mut files = Files::default();
        let _ = files.open(path);
        files
    }

    #[test]
    fn a_write_a_rename_and_a_removal_show() {
        let folder = Folder::new("changes");
        let path = folder.0.join("file");
        fs::write(&path, "one").expect("writes");
        let files = read(&path);
        assert_eq!(files.now(), files);
        fs::write(&path, "other").expect("writes");
        assert_ne!(files.now(), files);

        let files = read(&path);
        fs::write(folder.0.join("new"), "other").expect("writes");
        fs::rename(folder.0.join("new"), &path).expect("renames");
        assert_ne!(files.now(), files);

        let files = read(&path);
        fs::remove_file(&path).expect("removes");
        assert_ne!(files.now(), files);
    }

    #[test]
    fn a_file_that_comes_to_be_shows() {
        let folder = Folder::new("appears");
        let path = folder.0.join("file");
        let files = read(&path);
        assert_eq!(files.now(), files);
        fs::write(&path, "").expect("writes");
        assert_ne!(files.now(), files);
    }

    /// As Kubernetes replaces a ConfigMap: `file -> ..data/file`, and `..data` is swapped by a rename.
    #[test]
    fn a_folder_that_a_symlink_swaps_shows() {
        let folder = Folder::new("swap");
        for (version, text) in [("1", "same"), ("2", "same")] {
            fs::create_dir(folder.0.join(version)).expect("a folder");
            fs::write(folder.0.join(version).join("file"), text).expect("writes");
        }
        symlink("1", folder.0.join("..data")).expect("links");
        symlink("..data/file", folder.0.join("file")).expect("links");
        let files = read(&folder.0.join("file"));
        assert_eq!(files.now(), files);
        symlink("2", folder.0.join("..new")).expect("links");
        fs::rename(folder.0.join("..new"), folder.0.join("..data")).expect("renames");
        assert_ne!(files.now(), files);
    }

    #[test]
    fn a_file_that_is_read_twice_is_noted_as_it_was_first() {
        let folder = Folder::new("twice");
        let path = folder.0.join("file");
        fs::write(&path, "one").expect("writes");
        let mut files = read(&path);
        fs::write(&path, "other").expect("writes");
        let mut text = String::new();
        files.open(&path).and_then(|mut file| file.read_to_string(&mut text)).expect("reads");
        assert_eq!(text, "other");
        assert_eq!(files.paths().count(), 1);
        assert_ne!(files.now(), files);
    }
}
