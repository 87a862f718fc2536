//! Base64url as JOSE uses it (RFC 7515, section 2): the alphabet for URLs, no padding, and exactly one text for
//! each sequence of octets.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// The octets. `None` if the text has padding, spaces, characters of the other alphabet, or bits beyond the last
/// octet.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_text_for_each_octets() {
        assert_eq!(decode("-_8").as_deref(), Some(&[0xfb, 0xff][..]));
        for text in ["-_8=", "-_9", "+/8", "-_8 ", "-_8\n", "-", "-_-_-", "-_8.", "é"] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
