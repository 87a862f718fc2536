use std::hash::{BuildHasherDefault, Hasher};

/// A map that is filled from the configuration alone: what a client sends is only looked up, so a hash that resists
/// chosen keys buys nothing.
pub(crate) type FixedMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Fnv>>;

/// FNV-1a, which is quick for keys as short as segments are.
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
