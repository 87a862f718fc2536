use std::{fmt, num::NonZeroUsize, path::PathBuf, sync::Arc, thread, time::Duration};

use gatewright_core::WatchedFile;
use http::HeaderName;

use super::{
    authenticator::{Basic, Loaded},
    error::BasicError,
    users::{UserDefaults, Users},
    verified::Verified,
    workers::Workers,
};

/// Builds a [`Basic`]. [`build`](Self::build) reads the file.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct BasicBuilder {
    source: Source,
    realm: Box<str>,
    defaults: UserDefaults,
    remember: Duration,
    threads: usize,
    waiting: usize,
}

/// The source of the users.
enum Source {
    File(PathBuf),
    Text(String),
}

/// The time for which verified passwords are remembered, and their number.
const REMEMBER: Duration = Duration::from_secs(60);
const REMEMBERED: usize = 10_000;

/// The waiting passwords for each thread: a few seconds' worth of work.
const WAITING: usize = 32;

impl Basic {
    /// Reads users from an htpasswd-style file, and again when it changes.
    pub fn from_file(path: impl Into<PathBuf>) -> BasicBuilder {
        BasicBuilder::new(Source::File(path.into()))
    }

    /// Reads users from the text of an htpasswd-style file.
    pub fn from_htpasswd(text: impl Into<String>) -> BasicBuilder {
        BasicBuilder::new(Source::Text(text.into()))
    }
}

impl BasicBuilder {
    fn new(source: Source) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).div_ceil(2);
        let (realm, defaults) = ("gateway".into(), UserDefaults::default());
        Self { source, realm, defaults, remember: REMEMBER, threads, waiting: threads * WAITING }
    }

    /// Sets the realm, which browsers show. `gateway` by default.
    pub fn realm(mut self, realm: impl Into<Box<str>>) -> Self {
        self.realm = realm.into();
        self
    }

    /// Gives all users of the file these scopes.
    pub fn scopes<T: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.defaults.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Tells the service the user's name in this header.
    pub fn user_header(mut self, name: HeaderName) -> Self {
        self.defaults.header = Some(name);
        self
    }

    /// Sets the time for which a verified password need not be verified again. Zero turns this off; a minute by
    /// default. A user who is removed from the file is refused at once in any case.
    pub fn remember_for(mut self, time: Duration) -> Self {
        self.remember = time;
        self
    }

    /// Sets the number of threads that verify passwords, and the number of passwords that may wait for them. When
    /// the queue is full, the answer is 503. By default, there is one thread for two processors, and 32 passwords
    /// may wait for each thread.
    pub fn threads(mut self, threads: usize, waiting: usize) -> Self {
        (self.threads, self.waiting) = (threads, waiting);
        self
    }

    /// Reads the users. Blocks while it reads.
    ///
    /// # Errors
    ///
    /// The file cannot be read or has bad content ([`BasicError::content`] lists all problems); the realm is empty
    /// or not visible ASCII; the system provides no random bytes.
    pub fn build(self) -> Result<Basic, BasicError> {
        let Self { source, realm, defaults, remember, threads, waiting } = self;
        if realm.is_empty() || !realm.chars().all(|character| matches!(character, ' '..='~')) {
            return Err(BasicError::setting(
                "the realm of passwords must be a text of visible ASCII characters",
            ));
        }
        let header = defaults.header.clone();
        let read = move |content: &[u8]| Users::read(content, &defaults);
        let users = match source {
            Source::File(path) => Loaded::File(WatchedFile::open(path, read).map_err(BasicError::file)?),
            Source::Text(text) => Loaded::Fixed(read(text.as_bytes()).map_err(BasicError::text)?),
        };
        let verified = Verified::new(remember, REMEMBERED).map_err(BasicError::random)?;
        let workers = Workers::new(threads, waiting);
        Ok(Basic { users, realm, header, verified: Arc::new(verified), workers })
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.fmt(f),
            Self::Text(_) => f.write_str("text"),
        }
    }
}
