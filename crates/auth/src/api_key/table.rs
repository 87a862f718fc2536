//! The keys of a file, by their hashes.

use std::{collections::HashMap, time::SystemTime};

use gatewright_core::Principal;
use http::{HeaderName, HeaderValue};

use super::{
    hasher::KeyHasher,
    keys_file::{self, Entry},
};
use crate::{
    Clock, ContentError, Identity,
    digest::{ByDigest, Digest},
};

/// Keys by their hashes. A lookup costs the same among ten keys and among a hundred thousand.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<Digest, Key, ByDigest>);

/// A key, with the prepared identity of its holder.
#[derive(Debug)]
struct Key {
    identity: Identity,
    expires: Option<SystemTime>,
    disabled: bool,
}

/// Why a key does not admit its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Unknown,
    Disabled,
    Expired,
}

impl Table {
    /// Reads a keys file. `owner_header` will tell services the owner.
    pub(super) fn read(
        content: &[u8],
        hasher: &KeyHasher,
        owner_header: Option<&HeaderName>,
    ) -> Result<Self, ContentError> {
        let mut keys = HashMap::default();
        keys_file::read(content, hasher, |entry| {
            keys.insert(entry.digest, Key::new(entry, owner_header));
        })?;
        Ok(Self(keys))
    }

    /// Finds the holder of the key with this hash.
    pub(super) fn find(&self, digest: Digest, clock: &Clock) -> Result<Identity, Refused> {
        match self.0.get(&digest) {
            None => Err(Refused::Unknown),
            Some(key) if key.disabled => Err(Refused::Disabled),
            Some(key) if key.expires.is_some_and(|end| clock.now() >= end) => Err(Refused::Expired),
            Some(key) => Ok(key.identity.clone()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The keys that have ended, each with its end, in the order of their ends. Disabled keys are not included.
    pub(super) fn ended(&self, now: SystemTime) -> Vec<(SystemTime, &str)> {
        let ended = self.0.values().filter(|key| !key.disabled).filter_map(|key| {
            let end = key.expires.filter(|end| now >= *end)?;
            Some((end, key.identity.principal().credential().unwrap_or_default()))
        });
        let mut ended: Vec<_> = ended.collect();
        ended.sort_unstable();
        ended
    }

    /// Whether some key has limits of its own.
    pub(super) fn limits_some(&self) -> bool {
        self.0.values().any(|key| !key.identity.principal().quotas().is_empty())
    }
}

impl Key {
    fn new(entry: Entry, owner_header: Option<&HeaderName>) -> Self {
        let Entry { name, owner, scopes, expires, limits, disabled, .. } = entry;
        let owner = owner.unwrap_or_else(|| name.clone());
        // No owner in the file has control characters, and a header takes all others.
        let header = owner_header.cloned().zip(HeaderValue::from_bytes(owner.as_bytes()).ok());
        let principal = Principal::builder(owner, super::METHOD).credential(name).scopes(scopes);
        let principal = limits.into_iter().fold(principal, |principal, limit| principal.quota(limit)).build();
        Self { identity: Identity::new(principal).headers(header), expires, disabled }
    }
}

impl Refused {
    /// The reason in logs and metrics.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_key",
            Self::Disabled => "key_disabled",
            Self::Expired => "key_expired",
        }
    }
}
