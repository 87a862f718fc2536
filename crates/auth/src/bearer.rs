//! Where bearer tokens are in a request (RFC 6750, section 2), and how they are taken out.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION, request::Parts};

use crate::{cookie, fields, query};

/// The places where a token may be: `Authorization`, and the other places in the settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct TokenPlaces {
    header: Option<HeaderName>,
    cookie: Option<Box<str>>,
    query: Option<Box<str>>,
    keep: bool,
}

/// Why the credentials of a request cannot be a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Several,
    Malformed,
}

impl TokenPlaces {
    pub(crate) fn header(&mut self, name: HeaderName) {
        self.header = Some(name);
    }

    pub(crate) fn cookie(&mut self, name: &str) {
        self.cookie = Some(name.into());
    }

    pub(crate) fn query(&mut self, name: &str) {
        self.query = Some(name.into());
    }

    /// Leaves the token in headers and cookies for the service.
    pub(crate) fn keep(&mut self) {
        self.keep = true;
    }

    /// The token of a request. A request with two tokens is refused, even if they are equal.
    pub(crate) fn find<'a>(&'a self, request: &'a Parts) -> Result<Option<Cow<'a, str>>, Unreadable> {
        let mut found = None;
        let mut add = |token: Cow<'a, [u8]>| match found.replace(token) {
            None => Ok(()),
            Some(_) => Err(Unreadable::Several),
        };
        if let Some(token) = authorization(&request.headers)? {
            add(Cow::Borrowed(token))?;
        }
        if let Some(name) = &self.header {
            for value in request.headers.get_all(name) {
                add(Cow::Borrowed(value.as_bytes()))?;
            }
        }
        if let Some(name) = &self.cookie {
            for value in cookie::values(&request.headers, name) {
                add(Cow::Borrowed(value))?;
            }
        }
        if let Some(name) = &self.query {
            for value in query::values(&request.uri, name) {
                add(value)?;
            }
        }
        found.map(text).transpose()
    }

    /// The header fields among the places, without `Authorization` and `Cookie`.
    pub(crate) fn header_names(&self) -> Vec<HeaderName> {
        self.header.iter().cloned().collect()
    }

    /// Takes tokens out of all the places. A token in the URI is always removed, because URIs are written to many
    /// logs.
    pub(crate) fn remove(&self, request: &mut Parts) {
        if let Some(uri) = self.query.as_ref().and_then(|name| query::without(&request.uri, name)) {
            request.uri = uri;
        }
        if self.keep {
            return;
        }
        fields::remove_values(&mut request.headers, AUTHORIZATION, |value| bearer(value).is_some());
        if let Some(name) = &self.header {
            fields::remove(&mut request.headers, name);
        }
        if let Some(name) = &self.cookie {
            cookie::remove(&mut request.headers, name);
        }
    }
}

/// The token in `Authorization`. `None` if the field is missing or has another scheme.
fn authorization(headers: &HeaderMap) -> Result<Option<&[u8]>, Unreadable> {
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let first = fields.next().and_then(bearer);
    match fields.map(bearer).fold(None, |any, next| Some(any.unwrap_or(false) || next.is_some())) {
        None => Ok(first),
        // Services differ in which of several fields they read, so the request is refused.
        Some(others) if others || first.is_some() => Err(Unreadable::Several),
        Some(_) => Ok(None),
    }
}

/// The text after the scheme `Bearer`. The scheme may be in any case (RFC 9110, section 11.1).
fn bearer(value: &HeaderValue) -> Option<&[u8]> {
    let (scheme, token) = value.as_bytes().split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return None;
    }
    match token {
        [] => Some(token),
        [b' ', ..] => Some(token.trim_ascii_start()),
        _ => None,
    }
}

/// Checks that a token has the characters of RFC 6750, section 2.1, and no others.
fn text(token: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Unreadable> {
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
    };
    if token.is_empty() || !token.iter().copied().all(allowed) {
        return Err(Unreadable::Malformed);
    }
    match token {
        Cow::Borrowed(bytes) => {
            std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Unreadable::Malformed)
        }
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Unreadable::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn places() -> TokenPlaces {
        let mut places = TokenPlaces::default();
        places.header(HeaderName::from_static("x-token"));
        places.cookie("session");
        places.query("access_token");
        places
    }

    fn request(uri: &str, headers: &[(&'static str, &'static str)]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).expect("valid").into_parts().0
    }

    #[test]
    fn one_token_is_found_wherever_it_may_stand() {
        let authorization = "authorization";
        for (uri, headers, expected) in [
            ("/", &[][..], Ok(None)),
            ("/", &[(authorization, "Bearer t.t")], Ok(Some("t.t"))),
            ("/", &[(authorization, "bEARER   t")], Ok(Some("t"))),
            ("/", &[(authorization, "Basic dTpw")], Ok(None)),
            ("/", &[(authorization, "Bearerx t")], Ok(None)),
            ("/", &[(authorization, "Basic a"), (authorization, "Basic b")], Ok(None)),
            ("/", &[("x-token", "t")], Ok(Some("t"))),
            ("/", &[("cookie", "a=b; session=t")], Ok(Some("t"))),
            ("/?access_token=t%2et", &[], Ok(Some("t.t"))),
            ("/?token=t", &[("cookie", "sessions=t"), ("x-tokens", "t")], Ok(None)),
            ("/", &[(authorization, "Bearer")], Err(Unreadable::Malformed)),
            ("/", &[(authorization, "Bearer ")], Err(Unreadable::Malformed)),
            ("/", &[(authorization, "Bearer a b")], Err(Unreadable::Malformed)),
            ("/", &[(authorization, "Bearer a,b")], Err(Unreadable::Malformed)),
            ("/?access_token=", &[], Err(Unreadable::Malformed)),
            ("/?access_token=%00", &[], Err(Unreadable::Malformed)),
            ("/", &[(authorization, "Bearer a"), (authorization, "Bearer a")], Err(Unreadable::Several)),
            ("/", &[(authorization, "Basic a"), (authorization, "Bearer a")], Err(Unreadable::Several)),
            ("/", &[(authorization, "Bearer a"), (authorization, "Basic a")], Err(Unreadable::Several)),
            ("/?access_token=a", &[(authorization, "Bearer a")], Err(Unreadable::Several)),
            ("/?access_token=a&access_token=a", &[], Err(Unreadable::Several)),
            ("/", &[("cookie", "session=a; session=b")], Err(Unreadable::Several)),
            ("/", &[("cookie", "session=a"), ("x-token", "a")], Err(Unreadable::Several)),
        ] {
            let (places, request) = (places(), request(uri, headers));
            assert_eq!(
                places.find(&request).as_ref().map(Option::as_deref),
                expected.as_ref().copied(),
                "{uri} {headers:?}"
            );
        }
    }

    #[test]
    fn tokens_are_taken_out_and_what_is_kept_never_stands_in_a_uri() {
        let shown = [("authorization", "Bearer t"), ("x-token", "t"), ("cookie", "a=b; session=t")];
        let mut kept = places();
        kept.keep();
        let mut request = request("/p?a=b&access_token=t", &shown);
        kept.remove(&mut request);
        assert_eq!((request.uri.to_string().as_str(), request.headers.len()), ("/p?a=b", 3));
        places().remove(&mut request);
        assert_eq!(request.headers.len(), 1);
        assert_eq!(request.headers["cookie"], "a=b");
    }

    #[test]
    fn another_scheme_stays() {
        let mut request = request("/", &[("authorization", "Basic dTpw")]);
        places().remove(&mut request);
        assert_eq!(request.headers["authorization"], "Basic dTpw");
    }
}
