//! What h2 does not check of a request.
//!
//! h2 itself resets a stream whose head holds connection-specific fields, `te` other than `trailers`, upper case,
//! control characters, or pseudo-header fields out of place (RFC 9113, section 8.2 and 8.3).

use gatewright_http1::{Rules, Violation, content_length, host, is_allowed_name, is_valid_target};
use http::{HeaderMap, Method, Request, header};

/// Holds the head to the rules that HTTP/1 is held to.
pub(super) fn check<B>(request: &Request<B>, rules: &Rules) -> Result<(), Violation> {
    let headers = request.headers();
    if headers.len() > usize::from(rules.max_fields) {
        return Err(Violation::TOO_MANY_FIELDS);
    }
    if request.method() == Method::CONNECT {
        return Err(Violation::CONNECT);
    }
    let target = request.uri().path_and_query().map(|target| target.as_str().as_bytes()).unwrap_or_default();
    if target.len() > rules.max_target {
        return Err(Violation::TARGET_TOO_LONG);
    }
    if !is_valid_target(target, request.method().as_str().as_bytes()) {
        return Err(Violation::TARGET);
    }
    if request.uri().scheme().is_some_and(|scheme| !matches!(scheme.as_str(), "http" | "https")) {
        return Err(Violation::TARGET);
    }
    for name in headers.keys() {
        if !is_allowed_name(name.as_str().as_bytes(), rules.names) {
            return Err(Violation::FIELD_NAME);
        }
    }
    check_host(request)?;
    check_length(headers)?;
    let mut expectations = headers.get_all(header::EXPECT).iter();
    if expectations.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Violation::EXPECTATION);
    }
    Ok(())
}

/// `:authority` names the host; a `host` field beside it must say the same (RFC 9113, section 8.3.1).
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

/// h2 holds the body to the first length only.
fn check_length(headers: &HeaderMap) -> Result<(), Violation> {
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(()) };
    if lengths.next().is_some() {
        return Err(Violation::LENGTH_DUPLICATE);
    }
    content_length(length.as_bytes()).map(drop).ok_or(Violation::LENGTH)
}

/// The authority that a request is for.
pub(super) fn authority<B>(request: &Request<B>) -> &[u8] {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    authority.or_else(|| request.headers().get(header::HOST).map(|host| host.as_bytes())).unwrap_or_default()
}
