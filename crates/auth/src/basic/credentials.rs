//! `Authorization: Basic` (RFC 7617).

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use crate::fields;

/// Padding is optional, since some clients leave it out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The longest value that is decoded, in octets.
const LONGEST: usize = 1024;

/// The user and the password of a request.
pub(super) struct Credentials {
    decoded: Vec<u8>,
    colon: usize,
}

/// Why credentials cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    Several,
    Malformed,
}

impl Credentials {
    /// The credentials of a request. `None` if it has none of this scheme.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, Unreadable> {
        let values = headers.get_all(AUTHORIZATION);
        let Some(credentials) = values.iter().find_map(basic) else { return Ok(None) };
        if values.iter().nth(1).is_some() {
            return Err(Unreadable::Several);
        }
        Self::decode(credentials).map(Some).ok_or(Unreadable::Malformed)
    }

    fn decode(credentials: &[u8]) -> Option<Self> {
        let credentials = credentials.trim_ascii();
        let decoded = BASE64.decode(credentials).ok().filter(|_| credentials.len() <= LONGEST)?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let text = std::str::from_utf8(&decoded[..colon]).ok()?;
        // Neither part may have control characters (section 2).
        let control = text.chars().any(char::is_control) || decoded.iter().any(u8::is_ascii_control);
        (!control).then_some(Self { decoded, colon })
    }

    pub(super) fn user(&self) -> &str {
        std::str::from_utf8(&self.decoded[..self.colon]).unwrap_or_default()
    }

    pub(super) fn password(&self) -> &[u8] {
        &self.decoded[self.colon + 1..]
    }
}

/// Removes credentials of this scheme from the headers.
pub(super) fn remove(headers: &mut HeaderMap) {
    fields::remove_values(headers, AUTHORIZATION, |value| basic(value).is_some());
}

/// The text after the scheme, if the scheme is `Basic`.
fn basic(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, rest) = value.as_bytes().split_at_checked(5)?;
    let ends = rest.first().is_none_or(|byte| *byte == b' ');
    (scheme.eq_ignore_ascii_case(b"basic") && ends).then_some(rest)
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let values = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).expect("valid")));
        values.collect()
    }

    fn read(values: &[&str]) -> Result<Option<(String, Vec<u8>)>, Unreadable> {
        let found = Credentials::of(&headers(values))?;
        Ok(found.map(|found| (found.user().to_owned(), found.password().to_owned())))
    }

    #[test]
    fn credentials_are_read_and_what_is_none_is_told_from_what_is_bad() {
        let aladdin = Some(("Aladdin".to_owned(), b"open sesame".to_vec()));
        assert_eq!(read(&["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]), Ok(aladdin.clone()));
        assert_eq!(read(&["bASIC  QWxhZGRpbjpvcGVuIHNlc2FtZQ"]), Ok(aladdin));
        // RFC 7617, section 2.1: the pound sign in UTF-8.
        assert_eq!(read(&["Basic dGVzdDoxMjPCow=="]), Ok(Some(("test".to_owned(), "123£".into()))));
        assert_eq!(read(&["Basic OjphOg=="]), Ok(Some((String::new(), b":a:".to_vec()))));
        for none in [&[][..], &["Bearer abc"], &["Basicly abc"], &["Bas"], &[""]] {
            assert_eq!(read(none), Ok(None), "{none:?}");
        }
        let long = format!("Basic {}", "YTph".repeat(300));
        for bad in [
            "Basic",
            "Basic ",
            "Basic QWxhZGRpbg==",
            "Basic !",
            "Basic QQo6YQ==",
            "Basic YToK",
            "Basic /zph",
            &long,
        ] {
            assert_eq!(read(&[bad]), Err(Unreadable::Malformed), "{bad}");
        }
        assert_eq!(read(&["Basic YTph", "Basic YTph"]), Err(Unreadable::Several));
        assert_eq!(read(&["Bearer abc", "Basic YTph"]), Err(Unreadable::Several));
    }

    #[test]
    fn credentials_of_this_scheme_alone_are_removed() {
        for (before, after) in [
            (&["Basic YTph"][..], &[][..]),
            (&["Bearer abc"], &["Bearer abc"]),
            (&["basic", "Bearer abc", "Basic YTph"], &["Bearer abc"]),
        ] {
            let mut headers = headers(before);
            remove(&mut headers);
            assert_eq!(headers.get_all(AUTHORIZATION).iter().collect::<Vec<_>>(), after);
        }
    }
}
