//! The hash of a key, as a keys file stores it.
//!
//! A key has 256 random bits, and no search can find it. Its hash therefore needs neither a salt nor a slow
//! function. It is BLAKE3, keyed by a constant of this crate or, with a pepper, by a key derived from the pepper.
//! Someone who can write the file but does not know the pepper cannot add a key.

use std::fmt;

use crate::digest::Digest;

/// Separates these hashes from all other uses of BLAKE3. Changing it would invalidate every keys file.
const CONTEXT: &str = "gatewright 2026-11 api keys at rest";

/// The schemes of hashes in a keys file.
const PLAIN: &str = "blake3";
const PEPPERED: &str = "blake3-peppered";

/// Hashes keys.
#[derive(Clone)]
pub(super) struct KeyHasher {
    key: [u8; 32],
    peppered: bool,
}

/// Why a text is not a hash that this hasher could have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAHash {
    NoScheme,
    UnknownScheme,
    Digits,
    PepperMissing,
    PepperUnused,
}

impl KeyHasher {
    pub(super) fn new(pepper: Option<&[u8]>) -> Self {
        Self { key: blake3::derive_key(CONTEXT, pepper.unwrap_or_default()), peppered: pepper.is_some() }
    }

    pub(super) fn hash(&self, secret: &[u8]) -> Digest {
        Digest::new(blake3::keyed_hash(&self.key, secret).into())
    }

    /// Writes the hash as a keys file has it.
    pub(super) fn write(&self, digest: Digest) -> String {
        let scheme = if self.peppered { PEPPERED } else { PLAIN };
        format!("{scheme}:{}", blake3::Hash::from_bytes(*digest.bytes()).to_hex())
    }

    /// Reads the text of [`write`](Self::write).
    pub(super) fn read(&self, text: &str) -> Result<Digest, NotAHash> {
        let (scheme, digits) = text.split_once(':').ok_or(NotAHash::NoScheme)?;
        match (scheme, self.peppered) {
            (PLAIN, false) | (PEPPERED, true) => {
                let hash = blake3::Hash::from_hex(digits).map_err(|_| NotAHash::Digits)?;
                Ok(Digest::new(hash.into()))
            }
            (PEPPERED, false) => Err(NotAHash::PepperMissing),
            (PLAIN, true) => Err(NotAHash::PepperUnused),
            _ => Err(NotAHash::UnknownScheme),
        }
    }
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyHasher").field("peppered", &self.peppered).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEPPER: &[u8] = b"0123456789abcdef";

    #[test]
    fn a_hash_stays_the_same_from_version_to_version() {
        // Files hold these: a change here would lock everybody out.
        for (pepper, expected) in [
            (None, "blake3:c3705cb2e72039496d123cd59342274e79e201d0ed8fb8b6b22a3b3205144938"),
            (Some(PEPPER), "blake3-peppered:4e37e299b6545a6ded5aff6f7f659d2e14837ac44902755f3c20b20868235137"),
        ] {
            let hasher = KeyHasher::new(pepper);
            let digest = hasher.hash(b"gw_example");
            assert_eq!(hasher.write(digest), expected);
            assert_eq!(hasher.read(expected), Ok(digest));
        }
    }

    #[test]
    fn a_hash_is_read_with_the_pepper_that_it_was_made_with() {
        let (plain, peppered) = (KeyHasher::new(None), KeyHasher::new(Some(PEPPER)));
        let digits = "0".repeat(64);
        for (hasher, text, expected) in [
            (&plain, format!("blake3-peppered:{digits}"), NotAHash::PepperMissing),
            (&peppered, format!("blake3:{digits}"), NotAHash::PepperUnused),
            (&plain, format!("blake3:{}", &digits[1..]), NotAHash::Digits),
            (&plain, format!("sha256:{digits}"), NotAHash::UnknownScheme),
            (&plain, digits.clone(), NotAHash::NoScheme),
        ] {
            assert_eq!(hasher.read(&text), Err(expected), "{text}");
        }
    }
}
