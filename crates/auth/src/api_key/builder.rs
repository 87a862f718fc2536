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

/// The header in which keys are looked for by default.
const HEADER: HeaderName = HeaderName::from_static("x-api-key");

/// The shortest pepper, in octets.
const PEPPER: usize = 16;

/// Builds [`ApiKeys`]. [`build`](Self::build) reads the file.
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct ApiKeysBuilder {
    source: Source,
    places: Vec<Place>,
    pepper: Option<Pepper>,
    owner_header: Option<HeaderName>,
    clock: Clock,
}

/// The source of the keys.
enum Source {
    File(PathBuf),
    Text(String),
}

/// A secret, so it is not printed.
struct Pepper(Vec<u8>);

impl ApiKeys {
    /// Reads keys from a file, and again when it changes.
    pub fn from_file(path: impl Into<PathBuf>) -> ApiKeysBuilder {
        ApiKeysBuilder::new(Source::File(path.into()))
    }

    /// Reads keys from the text of a keys file.
    pub fn from_yaml(text: impl Into<String>) -> ApiKeysBuilder {
        ApiKeysBuilder::new(Source::Text(text.into()))
    }
}

impl ApiKeysBuilder {
    fn new(source: Source) -> Self {
        Self { source, places: Vec::new(), pepper: None, owner_header: None, clock: Clock::system() }
    }

    /// Looks for keys in this header. Repeated calls add places; without any place, keys are looked for in
    /// `x-api-key`. In `authorization`, keys follow `Bearer` or `ApiKey`.
    pub fn header(mut self, name: HeaderName) -> Self {
        self.places.push(Place::Header(name));
        self
    }

    /// Looks for keys in this query parameter. Prefer a header: queries are written to logs and browser histories.
    pub fn query(mut self, name: impl Into<Box<str>>) -> Self {
        self.places.push(Place::Query(name.into()));
        self
    }

    /// Hashes with a pepper: at least 16 random octets, stored apart from the keys file. Keys that were made
    /// without the pepper are not valid with it.
    pub fn pepper(mut self, pepper: impl Into<Vec<u8>>) -> Self {
        self.pepper = Some(Pepper(pepper.into()));
        self
    }

    /// Tells the service the owner of the key in this header.
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
    /// The file cannot be read or has bad content ([`ApiKeysError::content`] lists all problems), the pepper is too
    /// short, or a query parameter has no name.
    pub fn build(self) -> Result<ApiKeys, ApiKeysError> {
        let Self { source, mut places, pepper, owner_header, clock } = self;
        if places.is_empty() {
            places.push(Place::Header(HEADER));
        }
        if places.contains(&Place::Query("".into())) {
            return Err(ApiKeysError::setting("the query parameter for keys needs a name"));
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
