//! The one canonical form of a path.
//!
//! A path is made canonical once, where the request enters, and is then matched, authorised, rewritten and forwarded
//! as that same string. The rules, in one pass over the path:
//!
//! 1. A path starts with `/`.
//! 2. Repeated slashes are merged: `/a//b` is `/a/b`; or they are kept, with [`PathRules::keep_empty_segments`].
//! 3. Escapes of unreserved characters are decoded (`%41` is `A`, `%2e` is `.`), all others are kept with upper-case
//!    digits (RFC 3986, sections 6.2.2.1 and 6.2.2.2). Nothing is decoded twice: `%252f` stays as it is.
//! 4. Dot segments are resolved after that (RFC 3986, section 5.2.4): `/a/../b` is `/b`. Above the root stays at the
//!    root.
//! 5. What a path may not hold as it is (RFC 3986, section 3.3), non-ASCII bytes among it, is percent-encoded.
//! 6. A parameter (`;x`) is kept as part of its segment. After `.`, `..` or nothing it is refused, since some servers
//!    take it away, and what is left is a dot segment or a double slash.
//! 7. An encoded slash (`%2f`) is refused, or kept as `%2F` with [`EncodedSlash::Keep`]. Next to one, `.` and `..` are
//!    refused, since a server that decodes it reads them as dot segments.
//! 8. Refused are `\` and `%5c`, `#`, `?`, control characters raw or encoded, and a `%` without two hex digits.
//!
//! The canonical form of a canonical path is that path.
//!
//! ```
//! use gatewright_core::path::{EncodedSlash, PathError, canonical};
//!
//! assert_eq!(canonical("/v1//orders/./%7Eme", EncodedSlash::Refuse)?, "/v1/orders/~me");
//! assert_eq!(canonical("/files/a%2fb", EncodedSlash::Keep)?, "/files/a%2Fb");
//! assert_eq!(canonical("/files/a%2fb", EncodedSlash::Refuse), Err(PathError::EncodedSlash));
//! # Ok::<(), PathError>(())
//! ```

mod error;
#[cfg(test)]
mod tests;
mod writer;

use std::borrow::Cow;

use bytes::Bytes;
use http::{Uri, uri::PathAndQuery};

pub use error::PathError;
use writer::Writer;

/// What becomes of an encoded slash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodedSlash {
    /// The path is refused.
    #[default]
    Refuse,
    /// It is kept, as part of its segment.
    Keep,
}

/// What a path may hold that two servers may read in two ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PathRules {
    encoded_slash: EncodedSlash,
    empty_segments: EmptySegments,
}

/// What becomes of a segment without a character.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum EmptySegments {
    #[default]
    Merge,
    Keep,
}

impl From<EncodedSlash> for PathRules {
    fn from(encoded_slash: EncodedSlash) -> Self {
        Self { encoded_slash, ..Self::default() }
    }
}

impl PathRules {
    /// Keeps empty segments, which mean something to object stores (`/bucket//key`) and to services whose paths hold URLs
    /// (`/plain/https://host/image.png`). `..` after one takes that one away (RFC 3986, section 5.2.4).
    ///
    /// ```
    /// use gatewright_core::path::{PathRules, canonical};
    ///
    /// let rules = PathRules::default().keep_empty_segments();
    /// assert_eq!(canonical("/a//./b/", rules).as_deref(), Ok("/a//b/"));
    /// assert_eq!(canonical("/a//../b", rules).as_deref(), Ok("/a/b"));
    /// ```
    #[must_use]
    pub fn keep_empty_segments(mut self) -> Self {
        self.empty_segments = EmptySegments::Keep;
        self
    }
}

/// What becomes of a dot segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DotSegment {
    Refuse,
    Resolve,
}

/// The canonical form of `path`. One that is canonical already is given back without allocation.
///
/// # Errors
///
/// When the path is one that rules 1 and 6 to 8 of this module refuse.
pub fn canonical(path: &str, rules: impl Into<PathRules>) -> Result<Cow<'_, str>, PathError> {
    normalise(path, rules.into(), DotSegment::Resolve)
}

/// The canonical form of a path that a rewrite has put together, in which a dot segment is refused: resolving it
/// would let a client climb out of where the rewrite sends it.
///
/// # Errors
///
/// As for [`canonical`], and for a dot segment.
pub fn rewritten(path: &str, rules: impl Into<PathRules>) -> Result<Cow<'_, str>, PathError> {
    normalise(path, rules.into(), DotSegment::Refuse)
}

/// A canonical path as servers read it that take parameters (`;x`, `%3Bx`) away, when it has any.
///
/// ```
/// use gatewright_core::path::without_parameters;
///
/// assert_eq!(without_parameters("/a;x=1/b%3By").as_deref(), Some("/a/b"));
/// assert_eq!(without_parameters("/a/b"), None);
/// ```
pub fn without_parameters(path: &str) -> Option<String> {
    if !path.bytes().any(|byte| matches!(byte, b';' | b'%')) {
        return None;
    }
    let bare = |segment: &'_ str| {
        let end = segment.find(';').into_iter().chain(segment.find("%3B")).min();
        end.unwrap_or(segment.len())
    };
    let text: Vec<&str> = path.split('/').map(|segment| &segment[..bare(segment)]).collect();
    let text = text.join("/");
    (text.len() < path.len()).then_some(text)
}

/// Puts another path into a URI. The query stays as it is, byte for byte.
///
/// # Errors
///
/// When path and query are longer than a URI may be, or the URI is one in authority form, which has no path.
pub fn replace(uri: &mut Uri, path: &str) -> Result<(), PathError> {
    let query = uri.query();
    let mut text = String::with_capacity(path.len() + query.map_or(0, |query| query.len() + 1));
    text.push_str(path);
    if let Some(query) = query {
        text.push('?');
        text.push_str(query);
    }
    let path_and_query = PathAndQuery::from_maybe_shared(Bytes::from(text)).map_err(|_| PathError::TooLong)?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query);
    *uri = Uri::from_parts(parts).map_err(|_| PathError::NotAbsolute)?;
    Ok(())
}

fn normalise(path: &str, rules: PathRules, dots: DotSegment) -> Result<Cow<'_, str>, PathError> {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return Err(PathError::NotAbsolute);
    }
    let mut out = Writer::new(path, rules.empty_segments, dots);
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let plain = bytes[at..].iter().take_while(|byte| is_plain(**byte)).count();
        if plain > 0 {
            out.push(&path[at..at + plain]);
            at += plain;
            continue;
        }
        at += 1;
        match byte {
            b'/' => out.slash()?,
            b'%' => {
                let escaped = unescape(&bytes[at..]).ok_or(PathError::BadEscape)?;
                at += 2;
                match escaped {
                    b'/' if rules.encoded_slash == EncodedSlash::Keep => out.encoded_slash()?,
                    b'/' => return Err(PathError::EncodedSlash),
                    b'\\' => return Err(PathError::Backslash),
                    0..=0x1f | 0x7f => return Err(PathError::Control),
                    _ if is_unreserved(escaped) => out.push_byte(escaped),
                    _ => out.push_escape(escaped),
                }
            }
            b'\\' => return Err(PathError::Backslash),
            b'#' => return Err(PathError::Fragment),
            b'?' => return Err(PathError::Query),
            0..=0x1f | 0x7f => return Err(PathError::Control),
            _ => out.push_escape(byte),
        }
    }
    out.finish()
}

/// The byte that two hex digits at the start of `digits` stand for.
fn unescape(digits: &[u8]) -> Option<u8> {
    let [high, low, ..] = digits else { return None };
    let value = |digit: &u8| char::from(*digit).to_digit(16);
    u8::try_from(value(high)? * 16 + value(low)?).ok()
}

/// `unreserved` of RFC 3986, section 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// `pchar` of RFC 3986, section 3.3, save escapes.
const fn is_plain(byte: u8) -> bool {
    PLAIN[byte as usize]
}

static PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_unreserved(byte as u8)
            || matches!(byte as u8, b'!' | b'$' | b'&'..=b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@');
        byte += 1;
    }
    table
};
