//! The syntax of a Host header and of the authority of a target (RFC 9110, section 7.2).

use std::net::Ipv6Addr;

use crate::scan::name_length;

const MAX_HOST: usize = 255;

/// Whether the text is a host that routes can match, with or without a port: a registered name of letters, digits, `-`, `_`
/// and `.`, an IPv4 address, or an IPv6 address in brackets. User information is refused.
pub fn is_valid(authority: &[u8]) -> bool {
    if is_name(authority) {
        return true;
    }
    let (host, port) = split(authority);
    if port.is_some_and(|port| !port.is_empty() && !is_port(port)) {
        return false;
    }
    match host {
        [b'[', address @ .., b']'] => {
            std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok())
        }
        name => is_name(name),
    }
}

/// Whether two valid authorities name the same host and port; either may leave `default_port` out.
pub fn same(left: &[u8], right: &[u8], default_port: &[u8]) -> bool {
    let ((left, left_port), (right, right_port)) = (split(left), split(right));
    // An empty port is the default one (RFC 3986, section 3.2.3).
    let port = |port: Option<_>| port.filter(|port: &&[u8]| !port.is_empty()).unwrap_or(default_port);
    left.eq_ignore_ascii_case(right) && port(left_port) == port(right_port)
}

/// The host of an authority, without its port.
pub fn without_port(authority: &[u8]) -> &[u8] {
    split(authority).0
}

fn split(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    // The colons of an address stand before its bracket.
    let after_address = match authority.first() {
        Some(b'[') => authority.iter().position(|byte| *byte == b']').unwrap_or(authority.len()),
        _ => 0,
    };
    match authority[after_address..].iter().position(|byte| *byte == b':') {
        Some(at) => {
            let colon = after_address + at;
            (&authority[..colon], Some(&authority[colon + 1..]))
        }
        None => (authority, None),
    }
}

fn is_port(port: &[u8]) -> bool {
    matches!(port.len(), 1..=5)
        && port.iter().all(u8::is_ascii_digit)
        && port.iter().fold(0_u32, |value, digit| value * 10 + u32::from(digit - b'0')) <= u32::from(u16::MAX)
}

/// Whether the name consists of labels with dots between them. No label is empty, except one after a final dot.
fn is_name(name: &[u8]) -> bool {
    let (mut rest, mut label_begins) = (name, true);
    loop {
        let length = name_length(rest);
        label_begins &= length == 0;
        match rest[length..].split_first() {
            None => return !name.is_empty() && name.len() <= MAX_HOST,
            Some((b'.', _)) if label_begins => return false,
            Some((b'.', after)) => (rest, label_begins) = (after, true),
            Some((b'_', after)) => (rest, label_begins) = (after, false),
            Some(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_a_port_or_without() {
        for good in [
            "a",
            "example.com",
            "example.com.",
            "a-b_c.d:8080",
            "127.0.0.1:1",
            "[::1]",
            "[2001:db8::1]:443",
            "x:65535",
            "a:",
            "[::1]:",
        ] {
            assert!(is_valid(good.as_bytes()), "{good}");
        }
        for bad in [
            "", ":", ":80", ".", ".a", "a..b", "a:b", "a:65536", "a:000080", "u@a", "a,b", "a b", "a/b",
            "a\\b", "[::1", "[x]", "[::1]x", "::1", "a:1:2", "a%00", "a#b", "a?b", "ä", "[]",
        ] {
            assert!(!is_valid(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_host_is_255_bytes_at_most_without_its_port() {
        for (length, valid) in
            [(254, true), (255, true), (256, false), (261, false), (262, false), (300, false)]
        {
            for port in ["", ":", ":1", ":65535"] {
                let authority = format!("{}{port}", "a".repeat(length));
                assert_eq!(is_valid(authority.as_bytes()), valid, "{length}{port}");
            }
        }
    }

    /// The same, by labels: not empty, but for one after a last dot, of letters, digits, `-` and `_`; then perhaps a port.
    fn plainly_valid(authority: &str) -> bool {
        let (name, port) =
            authority.split_once(':').map_or((authority, None), |(name, port)| (name, Some(port)));
        let labels: Vec<_> = name.strip_suffix('.').unwrap_or(name).split('.').collect();
        let of_label = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_port = |port: &str| {
            port.is_empty()
                || port.len() < 6 && port.chars().all(|c| c.is_ascii_digit()) && port.parse::<u16>().is_ok()
        };
        labels.iter().all(|label| !label.is_empty() && label.chars().all(of_label)) && port.is_none_or(is_port)
    }

    #[test]
    fn all_short_authorities_are_valid_or_not_as_their_labels_say() {
        let mut longest = vec![String::new()];
        for _ in 0..5 {
            longest =
                longest.iter().flat_map(|text| "a._-:0+]".chars().map(move |c| format!("{text}{c}"))).collect();
            for authority in &longest {
                assert_eq!(is_valid(authority.as_bytes()), plainly_valid(authority), "{authority}");
                let address = format!("[::1]{authority}");
                let expected =
                    authority.strip_prefix(':').is_some_and(|port| plainly_valid(&format!("a:{port}")));
                assert_eq!(is_valid(address.as_bytes()), expected, "{address}");
            }
        }
        for port in ["0", "9", "65535", "65536", "70000", "99999", "00001", "123456", "6553a"] {
            let authority = format!("a.b:{port}");
            assert_eq!(is_valid(authority.as_bytes()), plainly_valid(&authority), "{authority}");
        }
    }

    #[test]
    fn a_host_stands_before_its_port() {
        for (authority, host, port) in [
            ("a", "a", None),
            ("a:80", "a", Some("80")),
            ("a:", "a", Some("")),
            ("a:b:c", "a", Some("b:c")),
            (":1", "", Some("1")),
            ("", "", None),
            ("[::1]", "[::1]", None),
            ("[::1]:80", "[::1]", Some("80")),
            ("[::1]x:80", "[::1]x", Some("80")),
            ("[::1", "[::1", None),
            ("[::]", "[::]", None),
            ("[::]:1", "[::]", Some("1")),
            ("[1::]:", "[1::]", Some("")),
        ] {
            assert_eq!(split(authority.as_bytes()), (host.as_bytes(), port.map(str::as_bytes)));
            assert_eq!(without_port(authority.as_bytes()), host.as_bytes());
        }
    }

    #[test]
    fn hosts_are_the_same_whatever_their_case_and_with_the_default_port_left_out() {
        assert!(same(b"A.example", b"a.EXAMPLE", b"80"));
        assert!(same(b"a:80", b"a", b"80"));
        assert!(same(b"a:", b"a", b"80") && same(b"a:", b"a:80", b"80"));
        assert!(!same(b"a:81", b"a", b"80") && !same(b"a", b"a:81", b"80") && !same(b"a:81", b"a:82", b"80"));
        assert!(same(b"a:81", b"a:81", b"80") && same(b"a", b"a", b"80") && !same(b"a:81", b"b:81", b"80"));
        assert!(same(b"a:443", b"a", b"443") && !same(b"a:80", b"a", b"443"));
        assert!(!same(b"a", b"b", b"80"));
        assert!(same(b"[::1]:80", b"[::1]", b"80"));
        assert_eq!(without_port(b"[::1]:80"), b"[::1]");
    }
}
