//! The checks of a request that h2 does not make.
//!
//! h2 itself resets a stream whose head holds connection-specific fields, `te` other than `trailers`, upper case,
//! control characters, or pseudo-header fields out of place (RFC 9113, section 8.2 and 8.3).

use gatewright_http1::{Refusal, Rules, Violation, content_length, host, is_valid_target, keeps_name};
use http::{HeaderMap, HeaderName, Method, Request, header};

/// The fields that were dropped because of their names: their number, and the first name.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    pub(super) count: u16,
    pub(super) first: Option<HeaderName>,
}

/// Checks the head by the rules of HTTP/1, and drops fields with unusual names.
pub(super) fn check<B>(request: &mut Request<B>, rules: &Rules) -> Result<Dropped, Refusal> {
    check_size(request, rules)?;
    check_target(request, rules)?;
    let dropped = check_fields(request.headers_mut(), rules)?;
    check_host(request)?;
    check_length(request.headers())?;
    let mut expectations = request.headers().get_all(header::EXPECT).iter();
    if expectations.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Violation::EXPECTATION.into());
    }
    Ok(dropped)
}

/// An HTTP/2 head may be as large as the HTTP/1 head with the same content. Split cookies count as one field, as in
/// HTTP/1 (RFC 9113, section 8.2.3).
fn check_size<B>(request: &Request<B>, rules: &Rules) -> Result<(), Violation> {
    let headers = request.headers();
    let crumbs = headers.get_all(header::COOKIE).iter().count();
    if headers.len() - crumbs.saturating_sub(1) > usize::from(rules.max_fields) {
        return Err(Violation::TOO_MANY_FIELDS);
    }
    let uri = request.uri();
    let target = uri.path_and_query().map_or(0, |target| target.as_str().len());
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n".len();
    let host = uri.authority().map_or(0, |authority| "host: \r\n".len() + authority.as_str().len());
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + ": \r\n".len() + value.len());
    // Each part of a split cookie after the first needs only `; `.
    let saved = crumbs.saturating_sub(1) * ("cookie: \r\n".len() - "; ".len());
    let size = line + host + fields.sum::<usize>() - saved + "\r\n".len();
    if size > rules.max_head { Err(Violation::HEAD_TOO_LARGE) } else { Ok(()) }
}

fn check_target<B>(request: &Request<B>, rules: &Rules) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT {
        return Err(Violation::CONNECT.into());
    }
    let target = request.uri().path_and_query().map(|target| target.as_str().as_bytes()).unwrap_or_default();
    if target.len() > rules.max_target {
        return Err(Violation::TARGET_TOO_LONG.into());
    }
    if !is_valid_target(target, request.method().as_str().as_bytes()) {
        return Err(Refusal::from(Violation::TARGET).in_target(target));
    }
    if request.uri().scheme().is_some_and(|scheme| !matches!(scheme.as_str(), "http" | "https")) {
        return Err(Violation::TARGET.into());
    }
    Ok(())
}

/// Checks trailers by the rules of a head. Trailers may not frame or route a message (RFC 9110, section 6.5.1).
pub(super) fn check_trailers(trailers: &mut HeaderMap, rules: &Rules) -> Result<(), Violation> {
    // The size in HTTP/1: `name: value` and a line break for each field, and an empty line.
    let size = trailers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum::<usize>() + 2;
    if trailers.len() > usize::from(rules.max_fields) || size > rules.max_trailers {
        return Err(Violation::TRAILERS_TOO_LARGE);
    }
    check_fields(trailers, rules).map_err(|refusal| refusal.violation())?;
    // h2 itself resets a stream whose trailers hold connection fields.
    let misplaced = [header::HOST, header::CONTENT_LENGTH, header::EXPECT];
    if misplaced.iter().any(|name| trailers.contains_key(name)) { Err(Violation::TRAILER) } else { Ok(()) }
}

fn check_fields(fields: &mut HeaderMap, rules: &Rules) -> Result<Dropped, Refusal> {
    let mut unusual = Vec::new();
    for name in fields.keys() {
        let text = name.as_str().as_bytes();
        if !keeps_name(text, rules).map_err(|violation| Refusal::from(violation).in_field(text))? {
            unusual.push(name.clone());
        }
    }
    let before = fields.len();
    for name in &unusual {
        fields.remove(name);
    }
    for (name, value) in &*fields {
        // RFC 9113, section 8.2.1. HTTP/1 strips this white space; services behind the gateway would differ.
        let value = value.as_bytes();
        if matches!(value.first(), Some(b' ' | b'\t')) || matches!(value.last(), Some(b' ' | b'\t')) {
            return Err(Refusal::from(Violation::FIELD_VALUE).in_field(name.as_str().as_bytes()));
        }
    }
    let count = u16::try_from(before - fields.len()).unwrap_or(u16::MAX);
    Ok(Dropped { count, first: unusual.into_iter().next() })
}

/// `:authority` names the host, and a `host` field must name the same host (RFC 9113, section 8.3.1).
fn check_host<B>(request: &Request<B>) -> Result<(), Violation> {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let mut fields = request.headers().get_all(header::HOST).iter();
    let field = fields.next().map(|value| value.as_bytes());
    if fields.next().is_some() {
        return Err(Violation::HOST_DUPLICATE);
    }
    let default_port: &[u8] = if request.uri().scheme_str() == Some("http") { b"80" } else { b"443" };
    let named = authority.or(field).ok_or(Violation::HOST_MISSING)?;
    if !host::is_valid(named) || field.is_some_and(|field| !host::is_valid(field)) {
        return Err(Violation::HOST_MALFORMED);
    }
    match (authority, field) {
        (Some(authority), Some(field)) if !host::same(authority, field, default_port) => {
            Err(Violation::HOST_MISMATCH)
        }
        _ => Ok(()),
    }
}

/// h2 checks the body against the first `content-length` only, so a second one is refused.
fn check_length(headers: &HeaderMap) -> Result<(), Violation> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(()) };
    if lengths.next().is_some() {
        return Err(Violation::LENGTH_DUPLICATE);
    }
    content_length(length.as_bytes()).map(drop).ok_or(Violation::LENGTH)
}

/// The declared length of a request's body.
pub(super) fn body_length<B>(request: &Request<B>) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH).and_then(|length| content_length(length.as_bytes()))
}

/// The authority of a request.
pub(super) fn authority<B>(request: &Request<B>) -> &[u8] {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    authority.or_else(|| request.headers().get(header::HOST).map(|host| host.as_bytes())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use http::request::Builder;

    use super::*;

    fn get() -> Builder {
        Request::get("http://a/")
    }

    fn checked(request: Builder, rules: &Rules) -> Result<u16, Violation> {
        let checked = check(&mut request.body(()).expect("valid"), rules);
        checked.map(|dropped| dropped.count).map_err(|refusal| refusal.violation())
    }

    #[test]
    fn the_first_field_that_is_left_out_is_named() {
        let mut request =
            get().header("x-a", "1").header("x_b", "1").header("x_b", "2").body(()).expect("valid");
        let dropped = check(&mut request, &Rules::default()).expect("valid");
        assert_eq!((dropped.count, dropped.first.as_ref().map(HeaderName::as_str)), (2, Some("x_b")));
        let dropped = check(&mut request, &Rules::default()).expect("valid");
        assert_eq!((dropped.count, dropped.first), (0, None));
    }

    fn rules(change: impl FnOnce(&mut Rules)) -> Rules {
        let mut rules = Rules::default();
        change(&mut rules);
        rules
    }

    /// The head as HTTP/1 would have it: both have the same limit.
    fn of_http1(fields: &str) -> usize {
        format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n").len()
    }

    #[test]
    fn a_head_may_be_as_large_as_one_of_http1_and_no_larger() {
        for (request, fields) in [
            (get(), ""),
            (get().header("x", ""), "x: \r\n"),
            (get().header("x", "value").header("x-long-name", "v"), "x: value\r\nx-long-name: v\r\n"),
            (get().header("cookie", "a=1"), "cookie: a=1\r\n"),
            (get().header("cookie", "a=1").header("cookie", "b=2"), "cookie: a=1; b=2\r\n"),
            (
                get().header("cookie", "a=1").header("cookie", "b=2").header("cookie", "c=3"),
                "cookie: a=1; b=2; c=3\r\n",
            ),
        ] {
            let request = request.body(()).expect("valid");
            let size = of_http1(fields);
            assert_eq!(check_size(&request, &rules(|rules| rules.max_head = size)), Ok(()), "{fields}");
            let less = rules(|rules| rules.max_head = size - 1);
            assert_eq!(check_size(&request, &less), Err(Violation::HEAD_TOO_LARGE), "{fields}");
        }
        // The method, the target and the authority count.
        let long = || Request::options("http://example.com:8080/path?query");
        let size = "OPTIONS /path?query HTTP/1.1\r\nhost: example.com:8080\r\n\r\n".len();
        assert_eq!(checked(long(), &rules(|rules| rules.max_head = size)), Ok(0));
        assert_eq!(checked(long(), &rules(|rules| rules.max_head = size - 1)), Err(Violation::HEAD_TOO_LARGE));
    }

    #[test]
    fn as_many_fields_as_are_allowed_pass_and_no_more() {
        let with = |fields: usize, crumbs: usize| {
            let request = (0..fields).fold(get(), |request, index| request.header(format!("x-{index}"), "1"));
            (0..crumbs).fold(request, |request, _| request.header("cookie", "a=1"))
        };
        let three = rules(|rules| rules.max_fields = 3);
        for (fields, crumbs, expected) in [
            (0, 0, Ok(0)),
            (3, 0, Ok(0)),
            (4, 0, Err(Violation::TOO_MANY_FIELDS)),
            // Crumbs are one field.
            (2, 1, Ok(0)),
            (2, 20, Ok(0)),
            (3, 1, Err(Violation::TOO_MANY_FIELDS)),
            (3, 20, Err(Violation::TOO_MANY_FIELDS)),
        ] {
            assert_eq!(checked(with(fields, crumbs), &three), expected, "{fields} fields, {crumbs} crumbs");
        }
    }

    #[test]
    fn a_target_may_be_as_long_as_is_allowed_and_no_longer() {
        let ten = rules(|rules| rules.max_target = 10);
        for (target, expected) in [
            ("/", Ok(0)),
            ("/123456789", Ok(0)),
            ("/1234?6789", Ok(0)),
            ("/1234567890", Err(Violation::TARGET_TOO_LONG)),
            ("/1234?67890", Err(Violation::TARGET_TOO_LONG)),
        ] {
            assert_eq!(checked(Request::get(format!("http://a{target}")), &ten), expected, "{target}");
        }
    }

    #[test]
    fn a_host_beside_the_authority_says_the_same_with_the_port_of_the_scheme() {
        for (uri, host, expected) in [
            ("http://a/", "a", Ok(0)),
            ("http://a/", "A", Ok(0)),
            ("http://a/", "a:80", Ok(0)),
            ("http://a:80/", "a", Ok(0)),
            ("https://a/", "a:443", Ok(0)),
            ("http://a/", "a:443", Err(Violation::HOST_MISMATCH)),
            ("https://a/", "a:80", Err(Violation::HOST_MISMATCH)),
            ("http://a/", "b", Err(Violation::HOST_MISMATCH)),
            ("http://a/", "a/b", Err(Violation::HOST_MALFORMED)),
            ("/", "a", Ok(0)),
            ("/", "a/b", Err(Violation::HOST_MALFORMED)),
        ] {
            let request = Request::get(uri).header("host", host);
            assert_eq!(checked(request, &Rules::default()), expected, "{uri}, {host}");
        }
        assert_eq!(checked(Request::get("/"), &Rules::default()), Err(Violation::HOST_MISSING));
        let twice = get().header("host", "a").header("host", "a");
        assert_eq!(checked(twice, &Rules::default()), Err(Violation::HOST_DUPLICATE));
    }

    #[test]
    fn the_length_of_a_body_is_one_number() {
        let length = |values: &[&str]| {
            let request = values.iter().fold(get(), |request, value| request.header("content-length", *value));
            checked(request, &Rules::default())
        };
        for (values, expected) in [
            (&[][..], Ok(0)),
            (&["0"], Ok(0)),
            (&["12"], Ok(0)),
            (&["1", "1"], Err(Violation::LENGTH_DUPLICATE)),
            (&["1", "2"], Err(Violation::LENGTH_DUPLICATE)),
            (&["+1"], Err(Violation::LENGTH)),
            (&["1,1"], Err(Violation::LENGTH)),
            (&[""], Err(Violation::LENGTH)),
        ] {
            assert_eq!(length(values), expected, "{values:?}");
        }
        let known = |value: &str| body_length(&get().header("content-length", value).body(()).expect("valid"));
        assert_eq!([known("0"), known("12"), known("x")], [Some(0), Some(12), None]);
        assert_eq!(body_length(&get().body(()).expect("valid")), None);
    }

    #[test]
    fn trailers_may_be_as_many_as_fields_and_route_nothing() {
        let two = rules(|rules| rules.max_fields = 2);
        let trailers = |names: &[&'static str]| {
            let mut trailers = HeaderMap::new();
            for name in names {
                trailers.append(*name, http::HeaderValue::from_static("1"));
            }
            check_trailers(&mut trailers, &two).map(|()| trailers.len())
        };
        assert_eq!(trailers(&[]), Ok(0));
        assert_eq!(trailers(&["x", "y"]), Ok(2));
        assert_eq!(trailers(&["x", "x_y"]), Ok(1), "one is left out for its name");
        assert_eq!(trailers(&["x", "y", "z"]), Err(Violation::TRAILERS_TOO_LARGE));
        assert_eq!(trailers(&["x", "x", "x"]), Err(Violation::TRAILERS_TOO_LARGE));
        let bytes = rules(|_| {});
        for (length, expected) in
            [(bytes.max_trailers - 7, Ok(())), (bytes.max_trailers - 6, Err(Violation::TRAILERS_TOO_LARGE))]
        {
            let value = "x".repeat(length).parse::<http::HeaderValue>().expect("a value");
            let mut trailers = HeaderMap::from_iter([(http::HeaderName::from_static("x"), value)]);
            assert_eq!(check_trailers(&mut trailers, &bytes), expected, "{length}");
        }
        for name in ["host", "content-length", "expect"] {
            assert_eq!(trailers(&[name]), Err(Violation::TRAILER), "{name}");
        }
    }

    #[test]
    fn the_authority_is_that_of_the_target_or_else_the_host() {
        let of = |request: Builder| authority(&request.body(()).expect("valid")).to_vec();
        assert_eq!(of(Request::get("http://a:1/").header("host", "b")), b"a:1");
        assert_eq!(of(Request::get("/").header("host", "b")), b"b");
        assert_eq!(of(Request::get("/")), b"");
    }
}
