//! Tokens, and lists of them (RFC 9110, section 5.6).

/// A character of a token (RFC 9110, section 5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    TOKEN[usize::from(byte)]
}

static TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        token[byte] = (byte as u8).is_ascii_alphanumeric()
            || matches!(
                byte as u8,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            );
        byte += 1;
    }
    token
};

/// The elements of a list, without the white space around them.
pub(crate) fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// Whether a list, such as the value of `Connection`, has this element, in any case.
pub fn has_element(list: &[u8], element: &[u8]) -> bool {
    elements(list).any(|given| given.eq_ignore_ascii_case(element))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_is_a_character_of_a_token_or_not() {
        for byte in 0..=u8::MAX {
            let expected =
                b"!#$%&'*+-.^_`|~".contains(&byte) || matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z');
            assert_eq!(is_token(byte), expected, "{byte:#x}");
        }
    }

    #[test]
    fn the_elements_of_a_list_stand_between_commas() {
        for (list, expected) in [
            ("", vec![""]),
            ("a", vec!["a"]),
            ("a,b", vec!["a", "b"]),
            (" a \t,\tb c,, ", vec!["a", "b c", "", ""]),
        ] {
            let found: Vec<_> = elements(list.as_bytes()).collect();
            assert_eq!(found, expected.iter().map(|text| text.as_bytes()).collect::<Vec<_>>(), "{list:?}");
        }
        assert!(has_element(b"x, Close", b"close") && has_element(b"close", b"close"));
        assert!(!has_element(b"", b"close") && !has_element(b"closed, c lose", b"close"));
    }
}
