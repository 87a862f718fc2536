//! The elements of `Forwarded` (RFC 7239, section 4), the last one first.
//!
//! 1. A comma within a quoted string ends no element.
//! 2. The last element is the shortest text after a comma that is a whole element. Within an element that its proxy wrote
//!    well, no shorter text is one: it would begin inside a quoted string, so that its quotes would not pair. What stands
//!    before the element, a quote that a client left open too, cannot reach into it.
//! 3. Where no text is a whole element, what is left of the line is one element that cannot be read.

use std::borrow::Cow;

use http::{HeaderMap, header::FORWARDED};

/// One element: what one proxy says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a>(&'a [u8]);

/// The elements over all lines, the last one first; `None` for one that cannot be read. Empty elements are none.
pub(super) fn elements(headers: &HeaderMap) -> impl Iterator<Item = Option<Element<'_>>> {
    headers.get_all(FORWARDED).into_iter().rev().flat_map(|line| FromTheRight(line.as_bytes()))
}

/// The elements of one line.
struct FromTheRight<'a>(&'a [u8]);

impl<'a> Iterator for FromTheRight<'a> {
    type Item = Option<Element<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.0;
        let mut end = line.len();
        let mut searched = end;
        loop {
            let comma = line[..searched].iter().rposition(|byte| *byte == b',');
            let text = line[comma.map_or(0, |comma| comma + 1)..end].trim_ascii();
            let before = comma.map_or(&[][..], |comma| &line[..comma]);
            match comma {
                Some(comma) if text.is_empty() => (end, searched) = (comma, comma),
                None if text.is_empty() => return None,
                _ if Pairs(text).all(|pair| pair.is_some()) => {
                    self.0 = before;
                    return Some(Some(Element(text)));
                }
                Some(comma) => searched = comma,
                None => {
                    self.0 = before;
                    return Some(None);
                }
            }
        }
    }
}

impl<'a> Element<'a> {
    /// The value of a parameter, without its quotes; `None` when it is not there, or twice (RFC 7239, section 4).
    pub(super) fn by_name(self, name: &[u8]) -> Option<Cow<'a, [u8]>> {
        let mut values = Pairs(self.0).flatten().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let (_, value) = values.next()?;
        values.next().is_none().then_some(value)
    }
}

/// The pairs of an element: a token, `=`, and a token or a quoted string, with semicolons between. An item that is `None`
/// is no such pair, and the last.
struct Pairs<'a>(&'a [u8]);

type Pair<'a> = (&'a [u8], Cow<'a, [u8]>);

impl<'a> Iterator for Pairs<'a> {
    type Item = Option<Pair<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.0.trim_ascii_start();
        // A pair may be missing: `for=192.0.2.1;`.
        while let Some(after) = rest.strip_prefix(b";") {
            rest = after.trim_ascii_start();
        }
        if rest.is_empty() {
            return None;
        }
        match pair(rest) {
            Some((pair, after)) => {
                self.0 = after;
                Some(Some(pair))
            }
            None => {
                self.0 = &[];
                Some(None)
            }
        }
    }
}

fn pair(text: &[u8]) -> Option<(Pair<'_>, &[u8])> {
    let (name, rest) = text.split_at(text.iter().position(|byte| !is_token(*byte))?);
    let rest = rest.strip_prefix(b"=").filter(|_| !name.is_empty())?;
    let (value, rest) = match rest.strip_prefix(b"\"") {
        Some(rest) => quoted(rest)?,
        None => {
            let end = rest.iter().position(|byte| !is_unquoted(*byte)).unwrap_or(rest.len());
            (Cow::Borrowed(&rest[..end]), &rest[end..])
        }
    };
    let rest = rest.trim_ascii_start();
    (rest.is_empty() || rest.starts_with(b";")).then_some(((name, value), rest))
}

/// What stands before the closing quote, and what behind it. A backslash stands before an octet that is meant as it is
/// (RFC 9110, section 5.6.4).
fn quoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let mut plain: Option<Vec<u8>> = None;
    let mut at = 0;
    loop {
        let octet = match *text.get(at)? {
            b'"' => break,
            b'\\' => {
                plain.get_or_insert_with(|| text[..at].to_vec());
                at += 1;
                *text.get(at)?
            }
            octet => octet,
        };
        if let Some(plain) = &mut plain {
            plain.push(octet);
        }
        at += 1;
    }
    Some((plain.map_or(Cow::Borrowed(&text[..at]), Cow::Owned), &text[at + 1..]))
}

/// The characters of a token (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The characters of a value without quotes. Proxies leave the quotes out of addresses with ports and of IPv6, which no token
/// can hold, so that all is taken that cannot be meant to end the value.
fn is_unquoted(byte: u8) -> bool {
    !matches!(byte, b'"' | b',' | b';' | b'\\') && !byte.is_ascii_whitespace()
}
