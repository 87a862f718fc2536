use std::hash::{BuildHasherDefault, Hasher};

/// A map whose keys all come from the configuration. Text of a client is only looked up, so a hash that resists chosen keys
/// would gain nothing.
pub(crate) type FixedMap<K, V> = std::collections::HashMap<K, V, BuildHasherDefault<Fnv>>;

/// FNV-1a, which is fast for keys as short as path segments.
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
