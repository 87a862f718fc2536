use std::{
    error::Error,
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use gatewright_core::{BoxError, IpNetwork, WatchedFile, WatchedFileError};

use crate::{file, prefixes::Prefixes};

/// Networks, as a list that stays as it is or as a file that reloads by itself.
///
/// Clones are the same list.
///
/// ```
/// use gatewright_guard::{IpFilterLayer, IpList, IpNetwork};
///
/// let list: IpList = ["192.0.2.0/24", "2001:db8::/32"].iter().flat_map(|text| text.parse::<IpNetwork>()).collect();
/// assert!(list.contains("2001:db8::1".parse()?));
/// let layer = IpFilterLayer::new().deny_list(list);
/// # let _ = layer;
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone)]
pub struct IpList(Kind);

#[derive(Clone)]
enum Kind {
    Fixed(Arc<Prefixes>),
    File { path: Arc<Path>, content: WatchedFile<Prefixes> },
}

impl IpList {
    /// Reads a file: one network (`192.0.2.0/24`, `2001:db8::/32`) or address a line; `#` begins a comment. A network
    /// has no bits beyond its prefix. The file is read again when it changes, some seconds after at most. What cannot be used then leaves the list as it was, and is
    /// warned of by `tracing`.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and when a line of it is no network.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, IpListError> {
        Self::read(path.into(), file::parse)
    }

    /// The same, but for a file that holds nothing, not even a comment: it is wrong. Whoever downloads a list into its file
    /// empties that first, and a list that denies would let everybody in meanwhile, or for good when the download fails.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open), and when the file is empty.
    pub fn open_filled(path: impl Into<PathBuf>) -> Result<Self, IpListError> {
        Self::read(path.into(), file::parse_filled)
    }

    fn read(path: PathBuf, parse: fn(&[u8]) -> Result<Prefixes, BoxError>) -> Result<Self, IpListError> {
        let content = WatchedFile::open(&path, parse).map_err(IpListError)?;
        Ok(Self(Kind::File { path: path.into(), content }))
    }

    /// Whether a network of the list holds this address.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.longest(address).is_some()
    }

    /// How many networks it has.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kind::Fixed(prefixes) => prefixes.len(),
            Kind::File { content, .. } => content.load().len(),
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The length of the longest prefix that holds an address.
    pub(crate) fn longest(&self, address: IpAddr) -> Option<u8> {
        match &self.0 {
            Kind::Fixed(prefixes) => prefixes.longest(address),
            Kind::File { content, .. } => content.load().longest(address),
        }
    }
}

impl FromIterator<IpNetwork> for IpList {
    fn from_iter<T: IntoIterator<Item = IpNetwork>>(networks: T) -> Self {
        Self(Kind::Fixed(Arc::new(Prefixes::new(networks))))
    }
}

impl fmt::Debug for IpList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match &self.0 {
            Kind::Fixed(_) => None,
            Kind::File { path, .. } => Some(path),
        };
        f.debug_struct("IpList").field("path", &path).field("len", &self.len()).finish()
    }
}

/// A list cannot be read.
#[derive(Debug, Clone)]
pub struct IpListError(WatchedFileError);

impl fmt::Display for IpListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for IpListError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}
