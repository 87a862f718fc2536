//! One field line (RFC 9112, section 5).

use std::ops::Range;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{
    names,
    rules::{Names, Rules},
    scan::name_length,
    token::is_token,
    violation::Violation,
};

/// The fields that route or frame a message.
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

/// A parsed field line. The value is without the white space around it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    /// Set if the field routes or frames the message.
    pub(crate) known: Option<Known>,
    pub(crate) name_length: usize,
    pub(crate) value: &'a [u8],
    /// The position of the value in the line.
    pub(crate) value_at: usize,
}

/// The position of a field in its section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FieldSpan {
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
}

impl Field<'_> {
    /// The position in the section, for a line that begins at `line_at`.
    pub(crate) fn span(&self, line_at: usize) -> FieldSpan {
        let value_at = line_at + self.value_at;
        FieldSpan { name: line_at..line_at + self.name_length, value: value_at..value_at + self.value.len() }
    }
}

/// Checks and parses a line. The caller has checked that the line holds no control characters other than tabs. `None` is a
/// field that is dropped because of its name.
// It is small, and its result large.
#[inline(always)]
pub(crate) fn parse<'a>(line: &'a [u8], rules: &Rules) -> Result<Option<Field<'a>>, Violation> {
    let length = name_length(line);
    let (name_length, known) = match line.get(length) {
        Some(b':') if length > 0 => (length, known(&line[..length])),
        _ => match unusual_name(line, rules)? {
            Some(length) => (length, None),
            None => return Ok(None),
        },
    };
    let (value, value_at) = value(line, name_length + 1);
    Ok(Some(Field { known, name_length, value, value_at }))
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

/// Checks a line whose name holds characters other than letters, digits and hyphens, and gives the length of the name.
/// `None` if the field is dropped.
#[cold]
fn unusual_name(line: &[u8], rules: &Rules) -> Result<Option<usize>, Violation> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Violation::OBS_FOLD);
    }
    let colon = line.iter().position(|byte| !is_token(*byte)).ok_or(Violation::FIELD_LINE)?;
    let name = &line[..colon];
    if line[colon] != b':' || name.is_empty() {
        return Err(Violation::FIELD_NAME);
    }
    Ok(keeps_name(name, rules)?.then_some(colon))
}

/// Whether a field with this name, which is a token, is kept. Otherwise it is dropped.
///
/// # Errors
///
/// When the rules refuse the message because of the name.
pub fn keeps_name(name: &[u8], rules: &Rules) -> Result<bool, Violation> {
    if name_length(name) == name.len() {
        return Ok(true);
    }
    match rules.names {
        Names::Drop => Ok(false),
        Names::Refuse => Err(Violation::FIELD_NAME_REFUSED),
        Names::Pass if !rules.lenient && is_alias_of_known(name) => Err(Violation::FIELD_NAME_ALIAS),
        Names::Pass => Ok(true),
    }
}

/// The number of fields that layers can add before the map has to grow.
pub(crate) const ADDED: usize = 8;

/// Puts the fields of a head or of trailers into `map`, as slices of `bytes`.
pub(crate) fn collect(bytes: &Bytes, fields: &[FieldSpan], map: &mut HeaderMap) -> Result<(), Violation> {
    map.try_reserve(fields.len() + ADDED).map_err(|_| Violation::TOO_MANY_FIELDS)?;
    for field in fields {
        let (name, value) = name_and_value(bytes, field)?;
        map.try_append(name, value).map_err(|_| Violation::TOO_MANY_FIELDS)?;
    }
    Ok(())
}

/// Makes one field. Text that the types of the `http` crate refuse is a violation too, for example a name that is too long.
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
    let hyphen_for = |byte: &u8| if byte.is_ascii_alphanumeric() { *byte } else { b'-' };
    let with_hyphens: Vec<u8> = name.iter().map(hyphen_for).collect();
    known(&with_hyphens).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_loses_the_white_space_around_it() {
        let parse = |line| parse(line, &rules(Names::Drop)).expect("valid").expect("kept");
        let field = parse(b"Host: \t a \t");
        assert_eq!((field.known, field.value, field.value_at), (Some(Known::Host), &b"a"[..], 8));
        assert_eq!(field.span(10), FieldSpan { name: 10..14, value: 18..19 });
        assert_eq!(parse(b"Expect: \t ").value, b"");
        let field = parse(b"x:");
        assert_eq!((field.known, field.value, field.name_length), (None, &b""[..], 1));
    }

    #[test]
    fn a_name_is_a_token_whatever_becomes_of_unusual_ones() {
        for names in [Names::Drop, Names::Refuse, Names::Pass] {
            let refused = |line: &[u8]| parse(line, &rules(names)).expect_err("refused");
            assert_eq!(refused(b" a: b"), Violation::OBS_FOLD);
            assert_eq!(refused(b"\ta: b"), Violation::OBS_FOLD);
            assert_eq!(refused(b"a b"), Violation::FIELD_NAME);
            assert_eq!(refused(b"a b: c"), Violation::FIELD_NAME);
            assert_eq!(refused(b"ab"), Violation::FIELD_LINE);
            assert_eq!(refused(b"a_b"), Violation::FIELD_LINE);
            assert_eq!(refused(b":b"), Violation::FIELD_NAME);
            assert_eq!(refused(b"a : b"), Violation::FIELD_NAME);
            assert_eq!(refused(b"a\xe9: c"), Violation::FIELD_NAME);
            assert_eq!(refused(b"a(b): c"), Violation::FIELD_NAME);
        }
    }

    /// nginx drops all of these but the first.
    #[test]
    fn an_unusual_name_is_left_out_or_refused_or_kept() {
        for (line, length) in [
            ("X-A: 1", 3),
            ("a_b: 1", 3),
            ("X-A.B: 1", 5),
            ("a.b_c!: 1", 6),
            ("$x: 1", 2),
            ("a~|`^*+%&'#: 1", 11),
        ] {
            let read = |names| {
                let field = parse(line.as_bytes(), &rules(names))?;
                Ok(field.map(|field| (field.name_length, field.value.to_vec())))
            };
            let kept = Ok(Some((length, b"1".to_vec())));
            let plain = length == 3 && line.starts_with('X');
            assert_eq!(read(Names::Pass), kept, "{line}");
            assert_eq!(read(Names::Drop), if plain { kept.clone() } else { Ok(None) }, "{line}");
            assert_eq!(
                read(Names::Refuse),
                if plain { kept } else { Err(Violation::FIELD_NAME_REFUSED) },
                "{line}"
            );
        }
    }

    #[test]
    fn no_alias_of_a_framing_field_comes_from_a_client() {
        for line in [
            "Content_Length: 1",
            "transfer_encoding: chunked",
            "Transfer.Encoding: chunked",
            "content!length: 1",
        ] {
            let read = |rules: &Rules| parse(line.as_bytes(), rules).map(|field| field.is_some());
            assert_eq!(read(&rules(Names::Pass)), Err(Violation::FIELD_NAME_ALIAS), "{line}");
            assert_eq!(read(&rules(Names::Drop)), Ok(false), "{line}");
            assert_eq!(read(&Rules::for_responses()), Ok(true), "{line}");
        }
    }

    fn rules(names: Names) -> Rules {
        Rules { names, ..Rules::default() }
    }
}
