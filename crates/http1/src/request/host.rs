//! What may stand in a Host header or in the authority of a target (RFC 9110, section 7.2).

use std::net::Ipv6Addr;

use crate::scan::name_length;

const MAX_HOST: usize = 255;

/// Whether it is a host that can be routed by, with a port or without: a registered name of letters, digits, `-`,
/// `_` and `.`, an IPv4 address, or an IPv6 address in brackets. User information is refused.
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

/// Whether two valid authorities name the same host and port; `default_port` may be left out of either.
pub fn same(left: &[u8], right: &[u8], default_port: &[u8]) -> bool {
    let ((left, left_port), (right, right_port)) = (split(left), split(right));
    // An empty port is the default one (RFC 3986, section 3.2.3).
    let port = |port: Option<_>| port.filter(|port: &&[u8]| !port.is_empty()).unwrap_or(default_port);
    left.eq_ignore_ascii_case(right) && (left_port == right_port || port(left_port) == port(right_port))
}

/// The host of an authority, without its port.
pub fn without_port(authority: &[u8]) -> &[u8] {
    split(authority).0
}

fn split(authority: &[u8]) -> (&[u8], Option<&[u8]>) {
    let after_brackets = if authority.first() == Some(&b'[') {
        authority.iter().position(|byte| *byte == b']').map_or(authority.len(), |at| at + 1)
    } else {
        0
    };
    match authority[after_brackets..].iter().position(|byte| *byte == b':') {
        Some(at) => {
            let colon = after_brackets + at;
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

/// Labels divided by dots, none of them empty save one after a last dot.
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
        assert!(!is_valid("a".repeat(300).as_bytes()));
    }

    #[test]
    fn hosts_are_the_same_whatever_their_case_and_with_the_default_port_left_out() {
        assert!(same(b"A.example", b"a.EXAMPLE", b"80"));
        assert!(same(b"a:80", b"a", b"80"));
        assert!(same(b"a:", b"a", b"80") && same(b"a:", b"a:80", b"80"));
        assert!(!same(b"a:81", b"a", b"80"));
        assert!(!same(b"a", b"b", b"80"));
        assert!(same(b"[::1]:80", b"[::1]", b"80"));
        assert_eq!(without_port(b"[::1]:80"), b"[::1]");
    }
}
