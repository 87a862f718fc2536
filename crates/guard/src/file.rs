//! The format of list files: one network or address a line, `#` begins a comment.
//!
//! A network whose address has bits beyond its prefix is refused: `10.1.2.3/8` may be meant for one address or for
//! sixteen million, and an allow list is no place to guess.

use std::{fmt, net::IpAddr, str};

use gatewright_core::{BoxError, IpNetwork};

use crate::prefixes::Prefixes;

/// The lines of a file that are not networks.
#[derive(Debug)]
struct WrongLine {
    /// The number of the first such line.
    line: usize,
    /// The network that the line may mean, if its address has bits beyond the prefix.
    instead: Option<IpNetwork>,
    /// The number of such lines after the first.
    more: usize,
}

impl fmt::Display for WrongLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.instead {
            None => f.write_str("expected a network such as 10.0.0.0/8, or an IP address")?,
            Some(network) => write!(f, "the address has bits beyond the prefix; the network is {network}")?,
        }
        match self.more {
            0 => Ok(()),
            1 => f.write_str(" (and one more such line)"),
            more => write!(f, " (and {more} more such lines)"),
        }
    }
}

impl std::error::Error for WrongLine {}

pub(crate) fn parse(content: &[u8]) -> Result<Prefixes, BoxError> {
    let mut networks = Vec::new();
    let mut wrong: Option<WrongLine> = None;
    for (line, content) in content.split(|byte| *byte == b'\n').enumerate() {
        let content = content.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
        if content.is_empty() {
            continue;
        }
        match (network(content), &mut wrong) {
            (Ok(network), _) => networks.push(network),
            (Err(_), Some(wrong)) => wrong.more += 1,
            (Err(instead), none) => *none = Some(WrongLine { line: line + 1, instead, more: 0 }),
        }
    }
    match wrong {
        Some(wrong) => Err(wrong.into()),
        None => Ok(Prefixes::new(networks)),
    }
}

/// Parses a file as [`parse`] does, but refuses an empty file.
pub(crate) fn parse_filled(content: &[u8]) -> Result<Prefixes, BoxError> {
    if content.trim_ascii().is_empty() {
        return Err("the file is empty; a list of nothing says so in a comment: `# nobody`".into());
    }
    parse(content)
}

/// The network, or as the error the network that may be meant.
fn network(content: &[u8]) -> Result<IpNetwork, Option<IpNetwork>> {
    let text = str::from_utf8(content).map_err(|_| None)?;
    let network = text.parse::<IpNetwork>().map_err(|_| None)?;
    match text.split_once('/').and_then(|(address, _)| address.parse::<IpAddr>().ok()) {
        Some(address) if address.to_canonical() != network.address() && address != network.address() => {
            Err(Some(network))
        }
        _ => Ok(network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_empty_lines_are_no_entries() {
        let text = "# partners\r\n\r\n192.0.2.0/24 # Acme\r\n  2001:db8::/32\n203.0.113.7\n::ffff:198.51.100.0/120\n#10.0.0.0/8";
        let list = parse(text.as_bytes()).expect("a list");
        assert_eq!(list.len(), 4);
        let longest = |address: &str| list.longest(address.parse().expect("an address"));
        assert_eq!(longest("192.0.2.9"), Some(24));
        assert_eq!(longest("203.0.113.7"), Some(32));
        assert_eq!(longest("198.51.100.200"), Some(24));
        assert_eq!(longest("2001:db8::9"), Some(32));
        assert_eq!(longest("10.0.0.1"), None);
        assert_eq!(parse(b"").expect("a list").len(), 0);
        for all in ["0.0.0.0/0\n::/0", "::ffff:0:0/96\n::/0", "::ffff:0.0.0.0/96\n::/0"] {
            let list = parse(all.as_bytes()).expect("a list");
            for address in ["0.0.0.0", "255.255.255.255", "::ffff:9.9.9.9", "::", "ffff::"] {
                assert_eq!(list.longest(address.parse().expect("an address")), Some(0), "{address} in {all:?}");
            }
        }
    }

    #[test]
    fn a_wrong_line_is_told_by_its_number() {
        for (text, message) in [
            ("10.0.0.0/8\n10.0.0.0/33\n", "line 2: expected a network such as 10.0.0.0/8, or an IP address"),
            (
                "a\nb\n",
                "line 1: expected a network such as 10.0.0.0/8, or an IP address (and one more such line)",
            ),
            (
                "1.2.3.4\n\n\u{fc}\n1.2.3\n1.2.3.4 5.6.7.8",
                "line 3: expected a network such as 10.0.0.0/8, or an IP address (and 2 more such lines)",
            ),
            ("1.2.3.4/8\n", "line 1: the address has bits beyond the prefix; the network is 1.0.0.0/8"),
            (
                "0.0.0.0/0\n::ffff:10.0.0.1/104",
                "line 2: the address has bits beyond the prefix; the network is 10.0.0.0/8",
            ),
            ("2001:db8::1/32", "line 1: the address has bits beyond the prefix; the network is 2001:db8::/32"),
            ("010.0.0.0/8", "line 1: expected a network such as 10.0.0.0/8, or an IP address"),
        ] {
            let error = parse(text.as_bytes()).expect_err("a wrong line");
            assert_eq!(error.to_string(), message);
        }
        assert!(parse(b"10.0.0.0/8\n\xff\n").is_err());
    }
}
