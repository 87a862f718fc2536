use std::{hash::Hasher, net::IpAddr};

use super::KeyBytes;

/// An address as a key. IPv4 mapped into IPv6 is IPv4; of IPv6 only the first 64 bits count, since the rest is the
/// client's to choose.
pub(super) fn write(kind: &[u8], address: IpAddr, bytes: &mut KeyBytes) {
    bytes.write(kind);
    match address.to_canonical() {
        IpAddr::V4(address) => {
            bytes.write(b"4");
            bytes.write(&address.octets());
        }
        IpAddr::V6(address) => {
            bytes.write(b"6");
            bytes.write(&address.octets()[..8]);
        }
    }
}
