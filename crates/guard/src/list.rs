use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use gatewright_core::{BoxError, IpNetwork, WatchedFile, WatchedFileError};

use crate::{file, prefixes::Prefixes};

/// A list of networks: fixed, or read from a file that is watched for changes.
///
/// Clones share one list.
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
    /// Reads a file with one network (`192.0.2.0/24`, `2001:db8::/32`) or one address a line; `#` begins a comment. A
    /// network has no bits beyond its prefix. When the file changes, it is read again within some seconds. If the new
    /// content cannot be used, the list stays as it was and `tracing` gets a warning.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, and when a line is not a network.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, IpListError> {
        Self::read(path.into(), file::parse)
    }

    /// Reads a file as [`open`](Self::open) does, but refuses an empty file, which holds not even a comment. A download
    /// into the file empties the file first, and an empty deny list would let everybody in until the download is
    /// complete, or for good if the download fails.
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

    /// The number of networks.
    pub fn len(&self) -> usize {
        match &self.0 {
            Kind::Fixed(prefixes) => prefixes.len(),
            Kind::File { content, .. } => content.load().len(),
        }
    }

    /// Whether the list holds no network.
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
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct IpListError(WatchedFileError);
