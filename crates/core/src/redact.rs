//! Which values of a query or of a header are secret, and the text that stands in their place.
//!
//! Access logs, spans, status pages and `explain` use one [`Redaction`], so that a secret that one of them hides is not
//! shown by another. The text in place of a value is `REDACTED`, as the semantic conventions of OpenTelemetry have it
//! for `url.query` and `url.full`.
//!
//! 1. Names are compared without regard to case, hyphens and underscores: `api_key`, `Api-Key` and `apikey` are one name.
//! 2. The name of a query parameter is percent-decoded first, so that `%74oken` is `token`. Of a name with brackets, each
//!    part counts: `user[password]` is hidden.
//! 3. Parameters end at `&`, at `;` (some services take it for `&`) and at `?`, so that the query of an address inside a
//!    value (`next=/a?token=1`) is looked at too. The query of an address that is percent-encoded inside a value is not.
//! 4. [Headers that carry credentials](Redaction::header) are hidden whatever the list says.

use std::borrow::Cow;

use http::HeaderName;

/// What stands in the place of a secret value.
pub const REDACTED: &str = "REDACTED";

/// The names of query parameters whose values are hidden by default.
pub const SECRET_NAMES: &[&str] = &[
    "access_token",
    "api_key",
    "assertion",
    "auth",
    "auth_token",
    "authorization",
    "AWSAccessKeyId",
    "client_assertion",
    "client_secret",
    "code",
    "code_verifier",
    "credential",
    "credentials",
    "id_token",
    "jwt",
    "key",
    "otp",
    "passphrase",
    "passwd",
    "password",
    "pwd",
    "refresh_token",
    "SAMLResponse",
    "secret",
    "session",
    "session_id",
    "sid",
    "sig",
    "signature",
    "subscription_key",
    "ticket",
    "token",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
    "X-Goog-Credential",
    "X-Goog-Signature",
];

/// The headers that carry credentials: they are always hidden.
const SECRET_HEADERS: &[&str] = &[
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "authentication-info",
    "proxy-authentication-info",
    "x-api-key",
    "x-auth-token",
    "x-amz-security-token",
];

/// The list of names whose values are hidden.
///
/// ```
/// use gatewright_core::redact::Redaction;
///
/// let redaction = Redaction::default().hide("card");
/// assert_eq!(redaction.query("page=2&token=abc&card=4111"), "page=2&token=REDACTED&card=REDACTED");
/// assert_eq!(redaction.query("page=2"), "page=2");
/// ```
#[derive(Debug, Clone)]
pub struct Redaction {
    /// Lower case, without hyphens and underscores.
    names: Vec<Vec<u8>>,
}

/// Hides [`SECRET_NAMES`].
impl Default for Redaction {
    fn default() -> Self {
        Self { names: SECRET_NAMES.iter().map(|name| plain(name.bytes()).collect()).collect() }
    }
}

impl Redaction {
    /// Hides the values of this name too, in queries and in headers.
    #[must_use]
    pub fn hide(mut self, name: &str) -> Self {
        let name: Vec<u8> = plain(name.bytes()).collect();
        if !name.is_empty() && !self.names.contains(&name) {
            self.names.push(name);
        }
        self
    }

    /// Whether the value of a query parameter of this name is hidden. The name is as it stands in the query,
    /// percent-encoded or not.
    pub fn hides(&self, name: &str) -> bool {
        let decoded: Cow<'_, [u8]> = match name.contains('%') {
            true => Cow::Owned(decode(name.as_bytes())),
            false => Cow::Borrowed(name.as_bytes()),
        };
        decoded.split(|byte| matches!(byte, b'[' | b']' | b'.')).any(|part| self.lists(part))
    }

    /// The value of the header as it may be shown: [`REDACTED`] for a header that carries credentials and for a name on
    /// the list.
    pub fn header<'a>(&self, name: &HeaderName, value: &'a str) -> &'a str {
        if self.hides_header(name) { REDACTED } else { value }
    }

    /// Whether the value of this header is hidden.
    pub fn hides_header(&self, name: &HeaderName) -> bool {
        SECRET_HEADERS.contains(&name.as_str()) || self.lists(name.as_str().as_bytes())
    }

    /// The query, without its `?`, as it may be shown. A query with nothing to hide is borrowed.
    pub fn query<'a>(&self, query: &'a str) -> Cow<'a, str> {
        let secret = |parameter: &str| {
            parameter.split_once('=').is_some_and(|(name, value)| !value.is_empty() && self.hides(name))
        };
        if !query.split(ENDS).any(secret) {
            return Cow::Borrowed(query);
        }
        let mut shown = String::with_capacity(query.len());
        for parameter in query.split_inclusive(ENDS) {
            let (body, end) = match parameter.strip_suffix(ENDS) {
                Some(body) => (body, &parameter[body.len()..]),
                None => (parameter, ""),
            };
            match body.split_once('=') {
                Some((name, _)) if secret(body) => {
                    shown.push_str(name);
                    shown.push('=');
                    shown.push_str(REDACTED);
                }
                _ => shown.push_str(body),
            }
            shown.push_str(end);
        }
        Cow::Owned(shown)
    }

    /// A URL, or a request's target, as it may be shown: without `user:password@`, without its fragment, and with its
    /// [query](Self::query) redacted.
    pub fn url<'a>(&self, url: &'a str) -> Cow<'a, str> {
        let whole = url.split('#').next().unwrap_or_default();
        let (before, query) = match whole.split_once('?') {
            Some((before, query)) => (before, Some(query)),
            None => (whole, None),
        };
        let scheme = before.find("://").filter(|at| !before[..*at].contains('/')).map(|at| at + 3);
        let authority = scheme.map(|from| before[from..].find('/').map_or(before.len(), |end| from + end));
        let host = scheme.zip(authority).and_then(|(from, to)| Some(from + before[from..to].rfind('@')? + 1));
        let shown = query.map(|query| self.query(query));
        match (scheme.zip(host), shown) {
            (None, None) => Cow::Borrowed(before),
            (None, Some(Cow::Borrowed(_))) => Cow::Borrowed(whole),
            (user, shown) => {
                let (scheme, rest) = user.map_or(("", before), |(to, from)| (&before[..to], &before[from..]));
                let query = shown.map(|query| format!("?{query}")).unwrap_or_default();
                Cow::Owned(format!("{scheme}{rest}{query}"))
            }
        }
    }

    fn lists(&self, name: &[u8]) -> bool {
        self.names.iter().any(|listed| plain(name.iter().copied()).eq(listed.iter().copied()))
    }
}

/// Where a parameter ends.
const ENDS: [char; 3] = ['&', ';', '?'];

/// Lower case, without hyphens and underscores. Spaces go too: services strip them, written as `+` or not.
fn plain(name: impl Iterator<Item = u8>) -> impl Iterator<Item = u8> {
    name.filter(|byte| !matches!(byte, b'-' | b'_' | b'+' | b' ')).map(|byte| byte.to_ascii_lowercase())
}

/// Percent-decodes what is validly encoded, and leaves the rest.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, digit(0).zip(digit(1))) {
            (b'%', Some((high, low))) => {
                decoded.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                decoded.push(byte);
                rest = after;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secret_values_of_a_query_are_replaced_and_the_rest_stays_as_it_is() {
        let redaction = Redaction::default().hide("pin-code");
        for (query, shown) in [
            ("", ""),
            ("a=1&b", "a=1&b"),
            ("token", "token"),
            ("token=", "token="),
            ("token=abc", "token=REDACTED"),
            ("a=1&TOKEN=abc=def&b=2", "a=1&TOKEN=REDACTED&b=2"),
            ("%74oken=abc", "%74oken=REDACTED"),
            ("api-key=1&apikey=2&Api_Key=3", "api-key=REDACTED&apikey=REDACTED&Api_Key=REDACTED"),
            ("user[password]=x&user%5Bpassword%5D=y", "user[password]=REDACTED&user%5Bpassword%5D=REDACTED"),
            ("login.password=x", "login.password=REDACTED"),
            ("a=1;sig=x;b=2", "a=1;sig=REDACTED;b=2"),
            ("next=/a?code=1&b=2", "next=/a?code=REDACTED&b=2"),
            ("pin_code=1234&pin=1", "pin_code=REDACTED&pin=1"),
            ("+token=1&%20token=2", "+token=REDACTED&%20token=REDACTED"),
            ("tokens=3&codec=h264&monkey=1", "tokens=3&codec=h264&monkey=1"),
            ("%=1&%4=2&%zz=3&=4", "%=1&%4=2&%zz=3&=4"),
            ("X-Amz-Signature=f00&X-Amz-Date=2026", "X-Amz-Signature=REDACTED&X-Amz-Date=2026"),
        ] {
            assert_eq!(redaction.query(query), shown, "{query}");
        }
        assert!(matches!(redaction.query("a=1&b=2"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_url_loses_its_user_and_its_fragment() {
        let redaction = Redaction::default();
        for (url, shown) in [
            ("/a/b", "/a/b"),
            ("/a?b=1", "/a?b=1"),
            ("/a?b=1&key=2#c", "/a?b=1&key=REDACTED"),
            ("/a#token=1", "/a"),
            ("https://user:word@host:1/a@b?c=1", "https://host:1/a@b?c=1"),
            ("https://user@host?code=1", "https://host?code=REDACTED"),
            ("https://host", "https://host"),
            ("/a://x@y", "/a://x@y"),
            ("*", "*"),
        ] {
            assert_eq!(redaction.url(url), shown, "{url}");
        }
    }

    #[test]
    fn credentials_in_headers_are_hidden_whatever_the_list_says() {
        let redaction = Redaction { names: Vec::new() };
        for name in SECRET_HEADERS {
            let name = HeaderName::from_static(name);
            assert_eq!(redaction.header(&name, "secret"), REDACTED, "{name}");
        }
        let own = HeaderName::from_static("x-partner-key");
        assert_eq!(redaction.header(&own, "shown"), "shown");
        assert_eq!(redaction.hide("X-Partner-Key").header(&own, "secret"), REDACTED);
    }

    proptest! {
        #[test]
        fn a_secret_never_stays(before in "[a-z=&;?%+]{0,20}", after in "[a-z=&;?%+]{0,20}", name in 0..SECRET_NAMES.len()) {
            let name = SECRET_NAMES[name];
            let query = format!("{before}&{name}=SECRETVALUE&{after}");
            let shown = Redaction::default().query(&query).into_owned();
            prop_assert!(!shown.contains("SECRETVALUE"), "{}", shown);
            let repeated = Redaction::default().query(&shown).into_owned();
            prop_assert_eq!(repeated, shown);
        }
    }
}
