//! `Content-Length` (RFC 9112, section 6.3).

use crate::violation::Violation;

/// The length in a `Content-Length` field of a request. It consists of digits only, without a leading zero, and fits into a
/// signed 64-bit number.
pub fn content_length(value: &[u8]) -> Option<u64> {
    match value {
        [b'0', _, ..] => None,
        digits => number(digits),
    }
}

/// The length in a `Content-Length` field of a response. The length may be repeated, also in a list, and must not contradict
/// the `known` length.
pub(crate) fn of_response(value: &[u8], known: Option<u64>) -> Result<u64, Violation> {
    let mut known = known;
    for text in value.split(|byte| *byte == b',') {
        let length = number(text.trim_ascii()).ok_or(Violation::RESPONSE_LENGTH)?;
        if known.is_some_and(|other| other != length) {
            return Err(Violation::RESPONSE_LENGTHS_DIFFER);
        }
        known = Some(length);
    }
    known.ok_or(Violation::RESPONSE_LENGTH)
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let number = digits.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number.checked_mul(10)?.checked_add(u64::from(digit)))?
    })?;
    i64::try_from(number).is_ok().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_digits_alone() {
        for (text, length) in [("0", 0), ("7", 7), ("10", 10), ("9223372036854775807", i64::MAX as u64)] {
            assert_eq!(content_length(text.as_bytes()), Some(length));
            assert_eq!(of_response(text.as_bytes(), None), Ok(length));
        }
        for text in [
            "",
            " ",
            "+5",
            "-0",
            "0x5",
            "5 5",
            "5.0",
            "9223372036854775808",
            "99999999999999999999",
            "1:",
            "/1",
            ":",
            "18446744073709551617",
        ] {
            assert_eq!(content_length(text.as_bytes()), None, "{text}");
            assert_eq!(of_response(text.as_bytes(), None), Err(Violation::RESPONSE_LENGTH), "{text}");
        }
        for text in ["00", "05", "5,5", "5, 5", " 5"] {
            assert_eq!(content_length(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_response_may_repeat_its_length_and_not_contradict_it() {
        assert_eq!(of_response(b"5, 5,5", None), Ok(5));
        assert_eq!(of_response(b"05", Some(5)), Ok(5));
        assert_eq!(of_response(b"5,6", None), Err(Violation::RESPONSE_LENGTHS_DIFFER));
        assert_eq!(of_response(b"5", Some(6)), Err(Violation::RESPONSE_LENGTHS_DIFFER));
        assert_eq!(of_response(b"5,", None), Err(Violation::RESPONSE_LENGTH));
        assert_eq!(of_response(b",5", None), Err(Violation::RESPONSE_LENGTH));
        assert_eq!(of_response(b"0, 0", Some(0)), Ok(0));
        // Nineteen digits, zeros among them.
        assert_eq!(of_response(b"0000000000000000005", None), Ok(5));
        assert_eq!(of_response(b"00000000000000000005", None), Err(Violation::RESPONSE_LENGTH));
    }
}
