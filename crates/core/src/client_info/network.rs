//! Networks of addresses, in CIDR notation.

use std::{fmt, net::IpAddr, str::FromStr};

use ipnet::IpNet;

/// A network in CIDR notation (`10.0.0.0/8`, `2001:db8::/32`), or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpNetwork(IpNet);

impl IpNetwork {
    /// Whether it holds this address; IPv4 mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.0.network()
    }

    /// How many bits its addresses share from the left.
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }
}

/// The text is neither a network in CIDR notation nor an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotANetwork(());

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a network such as 10.0.0.0/8, or an IP address")
    }
}

impl std::error::Error for NotANetwork {}

impl FromStr for IpNetwork {
    type Err = NotANetwork;

    /// Reads what is written as RFC 4632, section 3.1, and RFC 4291, section 2.3, have it. Leading zeros are refused,
    /// since some read them as octal; bits beyond the prefix are dropped.
    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = address.parse::<IpAddr>().map_err(|_| NotANetwork(()))?;
        let Some(prefix) = prefix else { return Ok(Self(IpNet::from(address.to_canonical()))) };
        let is_number = prefix.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || (prefix.starts_with('0') && prefix != "0") {
            return Err(NotANetwork(()));
        }
        let length = prefix.parse().map_err(|_| NotANetwork(()))?;
        let network = IpNet::new(address, length).map_err(|_| NotANetwork(()))?;
        Ok(Self(canonical(network.trunc())))
    }
}

/// IPv4 mapped into IPv6, as networks of it are compared.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(network) => network.network().to_ipv4_mapped().zip(network.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    let folded = mapped.and_then(|(address, length)| IpNet::new(address.into(), length).ok());
    folded.unwrap_or(network)
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_mapped_ipv4_is_one_of_ipv4() {
        let network: IpNetwork = "::ffff:10.1.2.3/104".parse().expect("a network");
        assert_eq!((network.to_string().as_str(), network.prefix_len()), ("10.0.0.0/8", 8));
        assert!(network.contains("10.9.9.9".parse().expect("an address")));
        let all: IpNetwork = "::/0".parse().expect("a network");
        assert_eq!((all.address().to_string(), all.prefix_len()), ("::".to_owned(), 0));
    }

    #[test]
    fn a_network_is_read_in_one_way_or_not_at_all() {
        for (text, network) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("2001:DB8::1/127", "2001:db8::/127"),
        ] {
            let read = text.parse::<IpNetwork>().map(|network| network.to_string());
            assert_eq!(read.as_deref(), Ok(network), "{text}");
        }
        for text in [
            "",
            "/",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "010.0.0.0/8",
            "10.0.0.01",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/-0",
            "10.0.0.0/8 ",
            " 10.0.0.0/8",
            "10.0.0/8",
            "10/8",
            "0x0a.0.0.0/8",
            "10.0.0.0/8/8",
            "10.0.0.0/256",
            "10.0.0.0/255.0.0.0",
            "fe80::1%eth0",
            "[::1]",
            "::/00",
            "10.0.0.0-10.0.0.9",
            "*",
            "10.*",
        ] {
            let error = text.parse::<IpNetwork>().expect_err(text);
            assert_eq!(error.to_string(), "expected a network such as 10.0.0.0/8, or an IP address");
        }
    }
}
