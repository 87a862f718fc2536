//! One field line (RFC 9112, section 5).

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{names, rules::Names, scan::name_length, token::is_token, violation::Violation};

/// The fields that say where a message goes and where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    Te,
    Host,
    Expect,
    Upgrade,
    Connection,
    ContentLength,
    TransferEncoding,
}

/// A field line taken apart. The value has lost the white space around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    /// Set when the field says where the message goes or ends.
    pub(crate) known: Option<Known>,
    pub(crate) name_length: usize,
    pub(crate) value: &'a [u8],
    /// Where the value begins in the line.
    pub(crate) value_at: usize,
}

/// Where a field stands in the section that it is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldSpan {
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
}

impl Field<'_> {
    /// Where it stands, in a line that begins at `line_at`.
    pub(crate) fn span(&self, line_at: usize) -> FieldSpan {
        let value_at = line_at + self.value_at;
        FieldSpan { name: line_at..line_at + self.name_length, value: value_at..value_at + self.value.len() }
    }
}

/// Judges a line, from which control characters other than tabs are known to be absent, and takes it apart.
// It is small, and its result large.
#[inline(always)]
pub(crate) fn parse(line: &[u8], names: Names) -> Result<Field<'_>, Violation> {
    let length = name_length(line);
    let (name_length, known) = match line.get(length) {
        Some(b':') if length > 0 => (length, known(&line[..length])),
        _ => (unusual_name(line, names)?, None),
    };
    let (value, value_at) = value(line, name_length + 1);
    Ok(Field { known, name_length, value, value_at })
}

fn value(line: &[u8], after_colon: usize) -> (&[u8], usize) {
    let mut value = &line[after_colon..];
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    let value_at = line.len() - value.len();
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    (value, value_at)
}

/// Judges a line whose name is not of letters, digits and hyphens alone, and gives the length of the name.
#[cold]
fn unusual_name(line: &[u8], names: Names) -> Result<usize, Violation> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Violation::OBS_FOLD);
    }
    let of_name = |byte: &u8| match names {
        Names::Token => is_token(*byte),
        Names::Underscore => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
        Names::Plain => byte.is_ascii_alphanumeric() || *byte == b'-',
    };
    let colon = line.iter().position(|byte| !of_name(byte)).ok_or(Violation::FIELD_LINE)?;
    let name = &line[..colon];
    // A server behind us may read `Content_Length` as `Content-Length`.
    let misleads = names != Names::Token && is_alias_of_known(name);
    if line[colon] != b':' || name.is_empty() || misleads {
        return Err(Violation::FIELD_NAME);
    }
    Ok(colon)
}

/// Whether a field of this name may be received, for who reads heads of another protocol. The name is a token.
pub fn is_allowed_name(name: &[u8], names: Names) -> bool {
    let plain = name_length(name) == name.len();
    match names {
        Names::Token => true,
        Names::Plain => plain,
        Names::Underscore => {
            plain
                || name.split(|byte| *byte == b'_').all(|part| name_length(part) == part.len())
                    && !is_alias_of_known(name)
        }
    }
}

/// So many fields of their own layers add without the map having to grow.
pub(crate) const ADDED: usize = 8;

/// The fields of a head or of trailers, as slices of `bytes`, put into `map`.
pub(crate) fn collect(bytes: &Bytes, fields: &[FieldSpan], map: &mut HeaderMap) -> Result<(), Violation> {
    map.try_reserve(fields.len() + ADDED).map_err(|_| Violation::TOO_MANY_FIELDS)?;
    for field in fields {
        let (name, value) = name_and_value(bytes, field)?;
        map.try_append(name, value).map_err(|_| Violation::TOO_MANY_FIELDS)?;
    }
    Ok(())
}

/// One field. What a line lets pass and the types of the `http` crate do not is a violation too: a name that is too
/// long, say.
#[inline]
pub(crate) fn name_and_value(bytes: &Bytes, field: &FieldSpan) -> Result<(HeaderName, HeaderValue), Violation> {
    let (from_name, length) = (&bytes[field.name.start..], field.name.len());
    let name = match names::usual(from_name, length) {
        Some(name) => name,
        None => HeaderName::from_bytes(&from_name[..length]).map_err(|_| Violation::FIELD_NAME)?,
    };
    let value = HeaderValue::from_maybe_shared(bytes.slice(field.value.clone()));
    Ok((name, value.map_err(|_| Violation::FIELD_VALUE)?))
}

pub(crate) fn known(name: &[u8]) -> Option<Known> {
    let (text, known): (&[u8], _) = match name.len() {
        2 => (b"te", Known::Te),
        4 => (b"host", Known::Host),
        6 => (b"expect", Known::Expect),
        7 => (b"upgrade", Known::Upgrade),
        10 => (b"connection", Known::Connection),
        14 => (b"content-length", Known::ContentLength),
        17 => (b"transfer-encoding", Known::TransferEncoding),
        _ => return None,
    };
    name.eq_ignore_ascii_case(text).then_some(known)
}

fn is_alias_of_known(name: &[u8]) -> bool {
    let with_hyphens: Vec<u8> = name.iter().map(|byte| if *byte == b'_' { b'-' } else { *byte }).collect();
    known(&with_hyphens).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_loses_the_white_space_around_it() {
        let field = parse(b"Host: \t a \t", Names::Plain).expect("valid");
        assert_eq!((field.known, field.value, field.value_at), (Some(Known::Host), &b"a"[..], 8));
        assert_eq!(field.span(10), FieldSpan { name: 10..14, value: 18..19 });
        assert_eq!(parse(b"Expect: \t ", Names::Plain).expect("valid").value, b"");
        let field = parse(b"x:", Names::Plain).expect("valid");
        assert_eq!((field.known, field.value, field.name_length), (None, &b""[..], 1));
    }

    #[test]
    fn a_name_is_letters_digits_and_hyphens() {
        let refused = |line: &[u8], names| parse(line, names).expect_err("refused");
        assert_eq!(refused(b" a: b", Names::Plain), Violation::OBS_FOLD);
        assert_eq!(refused(b"a b", Names::Plain), Violation::FIELD_NAME);
        assert_eq!(refused(b"ab", Names::Plain), Violation::FIELD_LINE);
        assert_eq!(refused(b":b", Names::Plain), Violation::FIELD_NAME);
        assert_eq!(refused(b"a : b", Names::Plain), Violation::FIELD_NAME);
        assert_eq!(refused(b"a_b: c", Names::Plain), Violation::FIELD_NAME);
        assert_eq!(refused(b"a.b: c", Names::Underscore), Violation::FIELD_NAME);
        assert_eq!(refused(b"a\xe9: c", Names::Underscore), Violation::FIELD_NAME);
        assert!(parse(b"a_b: c", Names::Underscore).is_ok());
        assert!(parse(b"a.b_c!: d", Names::Token).is_ok());
        assert_eq!(refused(b"a b: c", Names::Token), Violation::FIELD_NAME);
    }

    #[test]
    fn an_underscore_makes_no_alias_of_a_framing_field() {
        for line in ["Content_Length: 1", "transfer_encoding: chunked"] {
            assert_eq!(parse(line.as_bytes(), Names::Underscore).expect_err("refused"), Violation::FIELD_NAME);
        }
    }
}
