use std::hash::Hasher;

use smallvec::SmallVec;

/// A key as bytes, on the stack while it is short. Whatever can be hashed can be written into it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct KeyBytes(SmallVec<[u8; 96]>);

impl KeyBytes {
    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }
}

impl Hasher for KeyBytes {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// It collects and does not hash.
    fn finish(&self) -> u64 {
        0
    }
}
