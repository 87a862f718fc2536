//! The places of keys in a request, and how keys are taken out.

use http::{HeaderName, HeaderValue, header::AUTHORIZATION, request::Parts};

use crate::{fields, query};

/// A header field or a query parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// The whole value of the field is the key. In `Authorization`, the key follows one of the [`SCHEMES`].
    Header(HeaderName),
    Query(Box<str>),
}

/// The schemes of `Authorization` for keys. Credentials of other schemes are not keys.
const SCHEMES: [&[u8]; 2] = [b"bearer ", b"apikey "];

/// The keys of one request.
#[derive(Debug, Default)]
pub(super) struct Found {
    first: Option<HeaderValue>,
    several: bool,
    /// Whether `Authorization` has credentials of another scheme.
    other_scheme: bool,
}

impl Found {
    fn add(&mut self, value: HeaderValue) {
        self.several |= self.first.is_some();
        self.first.get_or_insert(value);
    }

    /// The key, if there is one. A request with two keys is refused.
    pub(super) fn one(self) -> Result<Option<HeaderValue>, Several> {
        if self.several { Err(Several) } else { Ok(self.first) }
    }
}

/// A request with several keys.
#[derive(Debug)]
pub(super) struct Several;

/// Finds the keys in these places.
pub(super) fn look(places: &[Place], request: &Parts) -> Found {
    let mut found = Found::default();
    for place in places {
        match place {
            Place::Header(name) if *name == AUTHORIZATION => {
                let mut fields = request.headers.get_all(AUTHORIZATION).iter().peekable();
                while let Some(field) = fields.next() {
                    let Some(key) = under_scheme(field) else {
                        found.other_scheme = true;
                        continue;
                    };
                    found.add(HeaderValue::from_bytes(key).unwrap_or(HeaderValue::from_static("")));
                    // Readers differ in which of several fields they use.
                    found.several |= found.other_scheme || fields.peek().is_some();
                }
            }
            Place::Header(name) => {
                request.headers.get_all(name).iter().cloned().for_each(|key| found.add(key));
            }
            Place::Query(name) => {
                for value in query::values(&request.uri, name) {
                    // A key never has octets that a header cannot carry.
                    found.add(HeaderValue::from_bytes(&value).unwrap_or(HeaderValue::from_static("")));
                }
            }
        }
    }
    found
}

/// The header fields among these places.
pub(super) fn header_names(places: &[Place]) -> Vec<HeaderName> {
    let fields = places.iter().filter_map(|place| match place {
        Place::Header(name) => Some(name.clone()),
        Place::Query(_) => None,
    });
    fields.collect()
}

/// Removes all keys in these places.
pub(super) fn clear(places: &[Place], request: &mut Parts) {
    for place in places {
        match place {
            Place::Header(name) if *name == AUTHORIZATION => {
                fields::remove_values(&mut request.headers, AUTHORIZATION, |value| {
                    under_scheme(value).is_some()
                });
            }
            Place::Header(name) => fields::remove(&mut request.headers, name),
            Place::Query(name) => {
                if let Some(uri) = query::without(&request.uri, name) {
                    request.uri = uri;
                }
            }
        }
    }
}

/// The key in a value of `Authorization`.
fn under_scheme(value: &HeaderValue) -> Option<&[u8]> {
    let bytes = value.as_bytes();
    let scheme = SCHEMES
        .iter()
        .find(|scheme| bytes.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    Some(bytes[scheme.len()..].trim_ascii())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn request(uri: &str, headers: &[&'static str]) -> Parts {
        let mut request = Request::builder().uri(uri);
        for value in headers {
            request = request.header("x-api-key", *value);
        }
        request.body(()).expect("valid").into_parts().0
    }

    fn places() -> [Place; 2] {
        [Place::Header(HeaderName::from_static("x-api-key")), Place::Query("api_key".into())]
    }

    #[test]
    fn a_key_is_found_in_either_place_and_two_are_not_believed() {
        for (uri, headers, expected) in [
            ("/a?b=1", &[][..], Ok(None)),
            ("/a", &["k1"], Ok(Some("k1"))),
            ("/a?b=1&api_key=k2", &[], Ok(Some("k2"))),
            ("/a?api%5fkey=k%32", &[], Ok(Some("k2"))),
            ("/a?api_key", &[], Ok(Some(""))),
            ("/a?api_key=%00", &[], Ok(Some(""))),
            ("/a?xapi_key=k2&api_keyx=k3", &[], Ok(None)),
            ("/a", &["k1", "k1"], Err(())),
            ("/a?api_key=k1&api_key=k1", &[], Err(())),
            ("/a?api_key=k1", &["k1"], Err(())),
        ] {
            let found = look(&places(), &request(uri, headers)).one().map_err(|Several| ());
            assert_eq!(found, expected.map(|key| key.map(HeaderValue::from_static)), "{uri} {headers:?}");
        }
    }

    #[test]
    fn keys_are_taken_out_and_the_rest_stays_as_it_was_written() {
        for (uri, expected) in [
            ("/a?api_key=k", "/a"),
            ("/a?api_key", "/a"),
            ("/a?x=%2f&api_key=k&y=+&&z", "/a?x=%2f&y=+&&z"),
            ("/a?api_key=k&x=1&api%5Fkey=k", "/a?x=1"),
            ("https://a.example:8443/a%20b?api_key=k&x", "https://a.example:8443/a%20b?x"),
            ("/a?x=api_key", "/a?x=api_key"),
            ("/a?", "/a?"),
        ] {
            let mut request = request(uri, &["k1", "k2"]);
            clear(&places(), &mut request);
            assert_eq!(request.uri.to_string(), expected);
            assert!(request.headers.is_empty());
        }
    }

    #[test]
    fn in_authorization_a_key_follows_a_scheme() {
        let places = [Place::Header(AUTHORIZATION)];
        for (values, found, left) in [
            (&["Bearer k1"][..], Ok(Some("k1")), &[][..]),
            (&["apikey  k1 "], Ok(Some("k1")), &[]),
            (&["Basic YTph"], Ok(None), &["Basic YTph"]),
            (&["k1"], Ok(None), &["k1"]),
            (&["Bearer"], Ok(None), &["Bearer"]),
            (&["Basic YTph", "Bearer k1"], Err(()), &["Basic YTph"]),
            (&["Bearer k1", "Basic YTph"], Err(()), &["Basic YTph"]),
            (&["Basic YTph", "Digest x"], Ok(None), &["Basic YTph", "Digest x"]),
            (&["Bearer k1", "Bearer k2"], Err(()), &[]),
        ] {
            let mut request = request("/", &[]);
            for value in values {
                request.headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            let one = look(&places, &request).one().map_err(|Several| ());
            assert_eq!(one, found.map(|key| key.map(HeaderValue::from_static)), "{values:?}");
            clear(&places, &mut request);
            assert_eq!(request.headers.get_all(AUTHORIZATION).iter().collect::<Vec<_>>(), left, "{values:?}");
        }
    }
}
