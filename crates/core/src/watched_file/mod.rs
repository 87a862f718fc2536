//! Files that are read again when they change: keys, passwords, lists.
//!
//! 1. A file is read and parsed when it is opened; what is wrong then is an error.
//! 2. It is looked at once a second, by one thread for all files of the process. A look is a `stat`, so that no file
//!    system has to tell of changes, and follows links, so that a swapped symlink counts as well.
//! 3. It is read again when two looks agree that it is another one: whoever writes a file in two goes is waited for.
//! 4. All or nothing: content that cannot be used is refused, with a warning, and what was read before goes on.
//! 5. Readers take no lock.
//! 6. The thread ends with the last file.

mod error;
mod stamp;
mod watcher;

use std::{
    fmt,
    fs::{self, File},
    io::{self, Read},
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use arc_swap::{ArcSwap, Guard};

pub use error::WatchedFileError;
pub use stamp::FileStamp;

use crate::BoxError;

/// How often a file is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// The largest file, in bytes.
const LARGEST: u64 = 256 << 20;

/// What a file holds, parsed, and parsed again when the file changes. Clones share it.
///
/// ```
/// use gatewright_core::{BoxError, WatchedFile};
///
/// # let path = std::env::temp_dir().join(format!("gatewright-watched-{}", std::process::id()));
/// # std::fs::write(&path, "one\ntwo\n")?;
/// let names = WatchedFile::open(&path, |content| {
///     let text = std::str::from_utf8(content)?;
///     Ok::<Vec<String>, BoxError>(text.lines().map(str::to_owned).collect())
/// })?;
/// assert_eq!(*names.load(), ["one", "two"]);
/// assert_eq!(names.generation(), 1);
/// # std::fs::remove_file(&path)?;
/// # Ok::<(), BoxError>(())
/// ```
pub struct WatchedFile<T: Send + Sync + 'static>(Arc<Shared<T>>);

/// What was read of a [`WatchedFile`] last. Hold it for a moment only: a future keeps
/// [`load_full`](WatchedFile::load_full).
pub struct WatchedContent<T>(Guard<Arc<Content<T>>>);

struct Content<T> {
    value: Arc<T>,
    generation: u64,
}

struct Shared<T> {
    path: PathBuf,
    parse: Box<Parse<T>>,
    content: ArcSwap<Content<T>>,
    looks: Mutex<Looks>,
    outcomes: Mutex<WatchedFileStatus>,
}

type Parse<T> = dyn Fn(&[u8]) -> Result<T, BoxError> + Send + Sync;

/// What the file was like.
struct Looks {
    /// When it was read last, or tried to.
    read: Option<FileStamp>,
    /// At the last look.
    seen: Option<FileStamp>,
}

/// How reading a [`WatchedFile`] again went, for a status page and metrics.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct WatchedFileStatus {
    /// How often another content was taken.
    pub accepted: u64,
    /// How often one was refused.
    pub refused: u64,
    /// Why the last one was refused, unless a later one was taken.
    pub error: Option<WatchedFileError>,
}

impl<T: Send + Sync + 'static> WatchedFile<T> {
    /// Reads a file and watches it. Blocks while it reads.
    ///
    /// `parse` is also what reads later contents, on the thread that watches. Its errors go to the log: they must show
    /// no secret.
    ///
    /// # Errors
    ///
    /// The file cannot be read, is no regular file or is larger than 256 MiB; `parse` fails; no thread can be started.
    pub fn open<E: Into<BoxError>>(
        path: impl Into<PathBuf>,
        parse: impl Fn(&[u8]) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, WatchedFileError> {
        Self::open_every(path, EVERY, parse)
    }

    /// The same, with another time between looks than a second.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_every<E: Into<BoxError>>(
        path: impl Into<PathBuf>,
        every: Duration,
        parse: impl Fn(&[u8]) -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Self, WatchedFileError> {
        let path = path.into();
        let parse: Box<Parse<T>> = Box::new(move |content| parse(content).map_err(Into::into));
        let (stamp, content) = read(&path);
        let content = content.map_err(|error| WatchedFileError::unreadable(&path, error))?;
        let value = parse(&content).map_err(|error| WatchedFileError::content(&path, error))?;
        let shared = Arc::new(Shared {
            content: ArcSwap::from_pointee(Content { value: Arc::new(value), generation: 1 }),
            looks: Mutex::new(Looks { read: stamp, seen: stamp }),
            outcomes: Mutex::default(),
            parse,
            path,
        });
        let look: Weak<Shared<T>> = Arc::downgrade(&shared);
        watcher::watch(look, every).map_err(|error| WatchedFileError::unwatched(&shared.path, error))?;
        Ok(Self(shared))
    }

    /// What was read last.
    pub fn load(&self) -> WatchedContent<T> {
        WatchedContent(self.0.content.load())
    }

    /// What was read last, to keep.
    pub fn load_full(&self) -> Arc<T> {
        Arc::clone(&self.0.content.load().value)
    }

    /// The number of what was read last: 1 at first, one more for each content that was taken since.
    pub fn generation(&self) -> u64 {
        self.0.content.load().generation
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// How reading it again went.
    pub fn status(&self) -> WatchedFileStatus {
        self.0.outcomes().clone()
    }

    /// Looks at once, and reads the file when it is another one. Blocks while it reads. Says whether there is another
    /// content.
    ///
    /// # Errors
    ///
    /// The new content is refused, as in [`open`](Self::open).
    pub fn refresh(&self) -> Result<bool, WatchedFileError> {
        let mut looks = self.0.looks();
        looks.seen = FileStamp::of(&self.0.path);
        if looks.seen == looks.read {
            return Ok(false);
        }
        self.0.read_again(&mut looks).map(|()| true)
    }
}

impl<T> Shared<T> {
    fn looks(&self) -> MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcomes(&self) -> MutexGuard<'_, WatchedFileStatus> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_again(&self, looks: &mut Looks) -> Result<(), WatchedFileError> {
        let (stamp, content) = read(&self.path);
        // Also of one that is refused: it is told of once.
        looks.read = stamp;
        let value =
            content.map_err(|error| WatchedFileError::unreadable(&self.path, error)).and_then(|content| {
                (self.parse)(&content).map_err(|error| WatchedFileError::content(&self.path, error))
            });
        let outcome = value.map(|value| {
            let generation = self.content.load().generation + 1;
            self.content.store(Arc::new(Content { value: Arc::new(value), generation }));
        });
        let mut outcomes = self.outcomes();
        match &outcome {
            Ok(()) => {
                outcomes.accepted += 1;
                outcomes.error = None;
                tracing::info!(file = %self.path.display(), "read again");
            }
            Err(error) => {
                outcomes.refused += 1;
                outcomes.error = Some(error.clone());
                let source = std::error::Error::source(error).filter(|_| error.is_content());
                let why = source.map(|source| format!(":\n{source}")).unwrap_or_default();
                tracing::warn!("{error}; what was read before goes on{why}");
            }
        }
        outcome
    }
}

impl<T: Send + Sync> watcher::Look for Shared<T> {
    fn look(&self) {
        let mut looks = self.looks();
        let now = FileStamp::of(&self.path);
        let at_rest = now == looks.seen;
        looks.seen = now;
        if at_rest && now != looks.read {
            // It was told of in the log and is kept in the status.
            let _ = self.read_again(&mut looks);
        }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        watcher::wake();
    }
}

/// The stamp is that of the file that is read, not of one that takes its place meanwhile.
fn read(path: &Path) -> (Option<FileStamp>, io::Result<Vec<u8>>) {
    let stamp = FileStamp::of(path);
    // A pipe would be waited for when it is opened.
    let opened = fs::metadata(path).and_then(|metadata| match metadata.is_file() {
        true => File::open(path),
        false => Err(io::Error::other("it is not a regular file")),
    });
    let file = match opened {
        Ok(file) => file,
        Err(error) => return (stamp, Err(error)),
    };
    let stamp = file.metadata().map_or(stamp, |metadata| Some(FileStamp::new(&metadata)));
    let mut content = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut content).and_then(|length| {
        if length as u64 > LARGEST { Err(io::Error::other("it is larger than 256 MiB")) } else { Ok(content) }
    });
    (stamp, read)
}

impl<T> WatchedContent<T> {
    /// The number of this content; see [`WatchedFile::generation`].
    pub fn generation(&self) -> u64 {
        self.0.generation
    }
}

impl<T> Deref for WatchedContent<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

/// What the file holds may be secret, so it is not printed.
impl<T> fmt::Debug for WatchedContent<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedContent").field("generation", &self.0.generation).finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Clone for WatchedFile<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for WatchedFile<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchedFile")
            .field("path", &self.0.path)
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
