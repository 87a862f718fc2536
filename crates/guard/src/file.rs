//! A list as a file: one network or address a line, `#` begins a comment.

use std::{error::Error, fmt, str};

use gatewright_core::{BoxError, IpNetwork};

use crate::prefixes::Prefixes;

/// A line that is no network.
#[derive(Debug)]
struct WrongLine {
    line: usize,
    /// Wrong lines after this one.
    more: usize,
}

impl fmt::Display for WrongLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: expected a network such as 10.0.0.0/8, or an IP address", self.line)?;
        match self.more {
            0 => Ok(()),
            1 => f.write_str(" (and one more such line)"),
            more => write!(f, " (and {more} more such lines)"),
        }
    }
}

impl Error for WrongLine {}

pub(crate) fn parse(content: &[u8]) -> Result<Prefixes, BoxError> {
    let mut networks = Vec::new();
    let mut wrong: Option<WrongLine> = None;
    for (line, content) in content.split(|byte| *byte == b'\n').enumerate() {
        let content = content.split(|byte| *byte == b'#').next().unwrap_or_default().trim_ascii();
        if content.is_empty() {
            continue;
        }
        let network = str::from_utf8(content).ok().and_then(|text| text.parse::<IpNetwork>().ok());
        match (network, &mut wrong) {
            (Some(network), _) => networks.push(network),
            (None, Some(wrong)) => wrong.more += 1,
            (None, none) => *none = Some(WrongLine { line: line + 1, more: 0 }),
        }
    }
    match wrong {
        Some(wrong) => Err(wrong.into()),
        None => Ok(Prefixes::new(networks)),
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
        ] {
            let error = parse(text.as_bytes()).expect_err("a wrong line");
            assert_eq!(error.to_string(), message);
        }
        assert!(parse(b"10.0.0.0/8\n\xff\n").is_err());
    }
}
