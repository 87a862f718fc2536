//! One field line (RFC 9112, section 5).

use super::violation::Violation;

/// The fields that framing must know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Host,
    Expect,
    Upgrade,
    Connection,
    ContentLength,
    TransferEncoding,
}

/// A field line taken apart. The value has lost the white space around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) known: Option<Known>,
    pub(super) value: &'a [u8],
    /// Where the value begins in the line.
    pub(super) value_at: usize,
}

/// Takes a line apart, from which control characters other than tabs are known to be absent.
pub(super) fn parse(line: &[u8], allow_underscore: bool) -> Result<Field<'_>, Violation> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(Violation::OBS_FOLD);
    }
    let mut underscore = false;
    let mut colon = None;
    for (at, &byte) in line.iter().enumerate() {
        match CLASSES[usize::from(byte)] {
            Class::Name => {}
            Class::Colon => {
                colon = Some(at);
                break;
            }
            Class::Underscore if allow_underscore => underscore = true,
            Class::Underscore | Class::Other => return Err(Violation::FIELD_NAME),
        }
    }
    let colon = colon.ok_or(Violation::FIELD_LINE)?;
    let name = &line[..colon];
    let known = match (name.is_empty(), underscore) {
        (true, _) => return Err(Violation::FIELD_NAME),
        (false, false) => known(name),
        // A server behind us may read `Content_Length` as `Content-Length`.
        (false, true) if is_alias_of_known(name) => return Err(Violation::FIELD_NAME),
        (false, true) => None,
    };
    let mut start = colon + 1;
    let mut end = line.len();
    while start < end && matches!(line[start], b' ' | b'\t') {
        start += 1;
    }
    while end > start && matches!(line[end - 1], b' ' | b'\t') {
        end -= 1;
    }
    Ok(Field { known, value: &line[start..end], value_at: start })
}

/// Whether a field of this name may be received.
pub(crate) fn is_allowed_name(name: &[u8], allow_underscore: bool) -> bool {
    name.iter().all(|byte| match CLASSES[usize::from(*byte)] {
        Class::Name => true,
        Class::Underscore => allow_underscore,
        Class::Colon | Class::Other => false,
    }) && !(name.contains(&b'_') && is_alias_of_known(name))
}

fn known(name: &[u8]) -> Option<Known> {
    let (text, known): (&[u8], _) = match name.len() {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Name,
    Colon,
    Underscore,
    Other,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        classes[byte as usize] = match byte {
            b'-' => Class::Name,
            b':' => Class::Colon,
            b'_' => Class::Underscore,
            _ if byte.is_ascii_alphanumeric() => Class::Name,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_loses_the_white_space_around_it() {
        let field = parse(b"Host: \t a \t", false).expect("valid");
        assert_eq!((field.known, field.value, field.value_at), (Some(Known::Host), &b"a"[..], 8));
        assert_eq!(parse(b"x:", false).expect("valid").value, b"");
    }

    #[test]
    fn a_name_is_letters_digits_and_hyphens() {
        let refused = |line: &[u8], underscore| parse(line, underscore).expect_err("refused");
        assert_eq!(refused(b" a: b", false), Violation::OBS_FOLD);
        assert_eq!(refused(b"a b", false), Violation::FIELD_NAME);
        assert_eq!(refused(b"ab", false), Violation::FIELD_LINE);
        assert_eq!(refused(b":b", false), Violation::FIELD_NAME);
        assert_eq!(refused(b"a : b", false), Violation::FIELD_NAME);
        assert_eq!(refused(b"a_b: c", false), Violation::FIELD_NAME);
        assert_eq!(refused(b"a.b: c", true), Violation::FIELD_NAME);
        assert_eq!(refused(b"a\xe9: c", true), Violation::FIELD_NAME);
        assert!(parse(b"a_b: c", true).is_ok());
    }

    #[test]
    fn an_underscore_makes_no_alias_of_a_framing_field() {
        for line in ["Content_Length: 1", "transfer_encoding: chunked"] {
            assert_eq!(parse(line.as_bytes(), true).expect_err("refused"), Violation::FIELD_NAME);
        }
    }
}
