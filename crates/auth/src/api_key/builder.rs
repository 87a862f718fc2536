use std::{fmt, path::PathBuf, sync::Arc};

use gatewright_core::WatchedFile;
use http::HeaderName;

use super::{
    authenticator::{ApiKeys, Keys},
    error::ApiKeysError,
    hasher::KeyHasher,
    places::Place,
    table::Table,
};
use crate::Clock;

/// The header that keys are looked for in when nothing else is said.
const HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// The shortest pepper, in octets.
const PEPPER: usize = 16;

/// Gathers what [`ApiKeys`] are made of. The file is read by [`build`](Self::build).
#[derive(Debug)]
#[must_use = "nothing is read before it is built"]
pub struct ApiKeysBuilder {
    source: Source,
    places: Vec<Place>,
    pepper: Option<Pepper>,
    owner_header: Option<HeaderName>,
    clock: Clock,
}

/// Where the keys come from.
enum Source {
    File(PathBuf),
    Text(String),
}

/// It is secret, so it is not printed.
struct Pepper(Vec<u8>);

impl ApiKeys {
    /// Keys from a file, which is read again when it changes.
    pub fn from_file(path: impl Into<PathBuf>) -> ApiKeysBuilder {
        ApiKeysBuilder::new(Source::File(path.into()))
    }

    /// Keys from the text of a keys file.
    pub fn from_yaml(text: impl Into<String>) -> ApiKeysBuilder {
        ApiKeysBuilder::new(Source::Text(text.into()))
    }
}

impl ApiKeysBuilder {
    fn new(source: Source) -> Self {
        Self { source, places: Vec::new(), pepper: None, owner_header: None, clock: Clock::system() }
    }

    /// Looks for keys in this header. Without any place said, it is `x-api-key`; with several, in all of them. In
    /// `authorization`, keys follow `Bearer` or `ApiKey`.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.places.push(Place::Header(name));
        self
    }

    /// Looks for keys in this query parameter. Queries get into logs and histories on their way here: a header is
    /// better.
    pub fn query(mut self, name: impl Into<Box<str>>) -> Self {
        self.places.push(Place::Query(name.into()));
        self
    }

    /// Hashes with a pepper: 16 octets at least, random, and not kept where the keys file is. Keys that were made
    /// without it are not valid with it.
    pub fn pepper(mut self, pepper: impl Into<Vec<u8>>) -> Self {
        self.pepper = Some(Pepper(pepper.into()));
        self
    }

    /// Tells the service the owner of the key, in this header.
    pub fn owner_header(mut self, name: HeaderName) -> Self {
        self.owner_header = Some(name);
        self
    }

    /// Sets the clock by which keys expire.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Reads the keys. Blocks while it reads.
    ///
    /// # Errors
    ///
    /// The file cannot be read or holds what it should not ([`ApiKeysError::content`] tells all of it), the pepper is
    /// too short, or a query parameter has no name.
    pub fn build(self) -> Result<ApiKeys, ApiKeysError> {
        let Self { source, mut places, pepper, owner_header, clock } = self;
        if places.is_empty() {
            places.push(Place::Header(HEADER));
        }
        if places.contains(&Place::Query("".into())) {
            return Err(ApiKeysError::setting("the query parameter of keys needs a name"));
        }
        if pepper.as_ref().is_some_and(|pepper| pepper.0.len() < PEPPER) {
            return Err(ApiKeysError::setting("a pepper has 16 octets at least"));
        }
        let hasher = KeyHasher::new(pepper.as_ref().map(|pepper| &*pepper.0));
        let read = {
            let (hasher, owner_header) = (hasher.clone(), owner_header.clone());
            move |content: &[u8]| Table::read(content, &hasher, owner_header.as_ref())
        };
        let keys = match source {
            Source::File(path) => Keys::File(WatchedFile::open(path, read).map_err(ApiKeysError::file)?),
            Source::Text(text) => Keys::Fixed(Arc::new(read(text.as_bytes()).map_err(ApiKeysError::text)?)),
        };
        Ok(ApiKeys { keys, places: places.into(), hasher, owner_header, clock })
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

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
