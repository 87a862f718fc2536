//! Hashes of secrets, used as keys of tables.

use std::{
    fmt,
    hash::{BuildHasherDefault, Hash, Hasher},
};

use subtle::ConstantTimeEq;

/// A keyed BLAKE3 hash of a secret.
#[derive(Clone, Copy)]
pub(crate) struct Digest([u8; 32]);

impl Digest {
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight octets.
    pub(crate) fn number(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// Compares in constant time.
impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Digest {}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.number());
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest")
    }
}

/// The hasher of tables with [`Digest`] keys. A digest is random already, and an attacker cannot choose the digests
/// in a table, so its first octets serve as its hash.
pub(crate) type ByDigest = BuildHasherDefault<FirstOctets>;

#[derive(Default)]
pub(crate) struct FirstOctets(u64);

impl Hasher for FirstOctets {
    fn write(&mut self, octets: &[u8]) {
        // A digest writes one number and never reaches this. Other types are hashed over all their octets.
        self.0 = octets.iter().fold(self.0, |state, octet| state.rotate_left(8) ^ u64::from(*octet));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
