use std::{hash::Hasher, net::IpAddr};

use super::KeyBytes;

/// An address as a key. IPv4 mapped into IPv6 is IPv4; of IPv6 only the first 64 bits count, since the rest is the
/// client's to choose.
pub(super) fn write(address: IpAddr, bytes: &mut KeyBytes) {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            bytes.write(b"a:4");
            bytes.write(&address.octets());
        }
        IpAddr::V6(address) => {
            bytes.write(b"a:6");
            bytes.write(&address.octets()[..8]);
        }
    }
}
