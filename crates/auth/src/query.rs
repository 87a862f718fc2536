//! Credentials in a query string.

use std::borrow::Cow;

use http::{Uri, uri::PathAndQuery};

/// The decoded values of a parameter. `+` is a plus sign, since no credential has a space.
pub(crate) fn values<'a>(uri: &'a Uri, name: &'a str) -> impl Iterator<Item = Cow<'a, [u8]>> {
    let pairs = uri.query().into_iter().flat_map(|query| query.split('&'));
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.filter(move |(key, _)| *decoded(key) == *name.as_bytes()).map(|(_, value)| decoded(value))
}

/// The URI without the parameter. `None` if it does not have the parameter. The other parameters stay as they were
/// written.
pub(crate) fn without(uri: &Uri, name: &str) -> Option<Uri> {
    let is_key = |pair: &str| *decoded(pair.split_once('=').map_or(pair, |(key, _)| key)) == *name.as_bytes();
    let query = uri.query().filter(|query| query.split('&').any(is_key))?;
    let mut target = String::with_capacity(uri.path().len() + query.len() + 1);
    target.push_str(uri.path());
    let mut separator = '?';
    for pair in query.split('&').filter(|pair| !is_key(pair)) {
        target.push(separator);
        target.push_str(pair);
        separator = '&';
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

/// The octets of a percent-encoded text. Characters that are no escape stay as they are.
fn decoded(text: &str) -> Cow<'_, [u8]> {
    let bytes = text.as_bytes();
    if !bytes.contains(&b'%') {
        return Cow::Borrowed(bytes);
    }
    let mut octets = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, after @ ..] = rest {
        let escape = match rest {
            [b'%', high, low, after @ ..] => {
                hex(*high).zip(hex(*low)).map(|(high, low)| (high << 4 | low, after))
            }
            _ => None,
        };
        let (octet, after) = escape.unwrap_or((*first, after));
        octets.push(octet);
        rest = after;
    }
    Cow::Owned(octets)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}
