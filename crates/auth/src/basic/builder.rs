use std::{fmt, num::NonZeroUsize, path::PathBuf, sync::Arc, thread, time::Duration};

use gatewright_core::WatchedFile;
use http::HeaderName;

use super::{
    authenticator::{Basic, Loaded},
    error::BasicError,
    users::{Common, Users},
    verified::Verified,
    workers::Workers,
};

/// Gathers what a [`Basic`] is made of. The file is read by [`build`](Self::build).
#[derive(Debug)]
#[must_use = "nothing is read before it is built"]
pub struct BasicBuilder {
    source: Source,
    realm: Box<str>,
    common: Common,
    remember: Duration,
    threads: usize,
    waiting: usize,
}

/// Where the users come from.
enum Source {
    File(PathBuf),
    Text(String),
}

/// How long and how many verified passwords are remembered.
const REMEMBER: Duration = Duration::from_secs(60);
const REMEMBERED: usize = 10_000;

/// How many may wait for each thread: a few seconds' worth.
const WAITING: usize = 32;

impl Basic {
    /// Users from an htpasswd-style file, which is read again when it changes.
    pub fn from_file(path: impl Into<PathBuf>) -> BasicBuilder {
        BasicBuilder::new(Source::File(path.into()))
    }

    /// Users from the text of an htpasswd-style file.
    pub fn from_htpasswd(text: impl Into<String>) -> BasicBuilder {
        BasicBuilder::new(Source::Text(text.into()))
    }
}

impl BasicBuilder {
    fn new(source: Source) -> Self {
        let threads = thread::available_parallelism().map_or(1, NonZeroUsize::get).div_ceil(2);
        let (realm, common) = ("gateway".into(), Common::default());
        Self { source, realm, common, remember: REMEMBER, threads, waiting: threads * WAITING }
    }

    /// Names what the passwords are for, as browsers show it. `gateway` by default.
    pub fn realm(mut self, realm: impl Into<Box<str>>) -> Self {
        self.realm = realm.into();
        self
    }

    /// Gives all users of the file these scopes.
    pub fn scopes<T: Into<Box<str>>>(mut self, scopes: impl IntoIterator<Item = T>) -> Self {
        self.common.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Tells the service the user's name, in this header.
    pub fn user_header(mut self, name: HeaderName) -> Self {
        self.common.header = Some(name);
        self
    }

    /// Sets how long a password that was verified need not be verified again; zero for not at all. A minute by default.
    /// A user who is removed from the file is refused at once all the same.
    pub fn remember_for(mut self, time: Duration) -> Self {
        self.remember = time;
        self
    }

    /// Sets how many passwords may be verified at a time, each on a thread of its own, and how many may wait for that.
    /// Beyond, the answer is 503. By default one for two processors, and 32 for each of those.
    pub fn threads(mut self, threads: usize, waiting: usize) -> Self {
        (self.threads, self.waiting) = (threads, waiting);
        self
    }

    /// Reads the users. Blocks while it reads.
    ///
    /// # Errors
    ///
    /// The file cannot be read or holds what it should not ([`BasicError::content`] tells all of it); the realm is empty or no
    /// visible ASCII; the system gives no random bytes.
    pub fn build(self) -> Result<Basic, BasicError> {
        let Self { source, realm, common, remember, threads, waiting } = self;
        if realm.is_empty() || !realm.chars().all(|character| matches!(character, ' '..='~')) {
            return Err(BasicError::setting("the realm of passwords is a text of visible ASCII characters"));
        }
        let header = common.header.clone();
        let read = move |content: &[u8]| Users::read(content, &common);
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
