use std::net::IpAddr;

use gatewright_core::IpNetwork;

use crate::table::Table;

/// Networks of both families, ready to be searched.
#[derive(Debug)]
pub(crate) struct Prefixes {
    v4: Table<u32>,
    v6: Table<u128>,
    networks: usize,
}

impl Prefixes {
    pub(crate) fn new(networks: impl IntoIterator<Item = IpNetwork>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for network in networks {
            match network.address() {
                IpAddr::V4(address) => v4.push((address.to_bits(), network.prefix_len())),
                IpAddr::V6(address) => v6.push((address.to_bits(), network.prefix_len())),
            }
        }
        let networks = v4.len() + v6.len();
        Self { v4: Table::new(v4), v6: Table::new(v6), networks }
    }

    /// The length of the longest prefix that holds an address.
    pub(crate) fn longest(&self, address: IpAddr) -> Option<u8> {
        match address.to_canonical() {
            IpAddr::V4(address) => self.v4.longest(address.to_bits()),
            IpAddr::V6(address) => self.v6.longest(address.to_bits()),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.networks
    }
}
