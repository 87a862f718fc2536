//! A hop as proxies write it into `X-Forwarded-For`, and into the `for` of `Forwarded` (RFC 7239, section 6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::{HeaderMap, HeaderName};

/// The elements of a list field over all its lines, the last one first. Empty elements are none.
pub(super) fn elements(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let lines = headers.get_all(name).into_iter().rev();
    let elements = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
    elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

/// The address of one hop; `None` for a hop that cannot be read, and for one that its proxy does not name (`unknown`,
/// `_hidden`).
///
/// A port may follow. IPv6 stands in brackets, or bare when no port follows. Its zone says something to the proxy's own
/// machine alone, and is left out. IPv4 mapped into IPv6 is IPv4.
pub(super) fn address(node: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(node).ok()?;
    let address = if let Some(text) = text.strip_prefix('[') {
        let (address, rest) = text.split_once(']')?;
        let has_port = rest.strip_prefix(':').is_some_and(is_port);
        (rest.is_empty() || has_port).then(|| ipv6(address)).flatten()?
    } else {
        match text.split_once(':') {
            None => ipv4(text)?,
            Some((_, rest)) if rest.contains(':') => ipv6(text)?,
            Some((address, port)) => is_port(port).then(|| ipv4(address)).flatten()?,
        }
    };
    Some(address.to_canonical())
}

fn ipv4(text: &str) -> Option<IpAddr> {
    text.parse::<Ipv4Addr>().ok().map(IpAddr::V4)
}

fn ipv6(text: &str) -> Option<IpAddr> {
    let address = match text.split_once('%') {
        None => text,
        Some((address, zone)) => {
            (!zone.is_empty() && zone.bytes().all(|byte| byte.is_ascii_graphic())).then_some(address)?
        }
    };
    address.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// Up to five digits, or a name that hides the port (RFC 7239, section 6.2).
fn is_port(text: &str) -> bool {
    let hides = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    match text.as_bytes() {
        [b'_', name @ ..] => !name.is_empty() && name.iter().copied().all(hides),
        digits => matches!(digits.len(), 1..=5) && digits.iter().all(u8::is_ascii_digit),
    }
}
