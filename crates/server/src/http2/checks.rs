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
    check_fields(headers, rules)?;
    check_host(request)?;
    check_length(headers)?;
    let mut expectations = headers.get_all(header::EXPECT).iter();
    if expectations.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Violation::EXPECTATION);
    }
    Ok(())
}

/// Trailers are held to the rules of a head, and hold nothing that frames or routes (RFC 9110, section 6.5.1).
pub(super) fn check_trailers(trailers: &HeaderMap, rules: &Rules) -> Result<(), Violation> {
    if trailers.len() > usize::from(rules.max_fields) {
        return Err(Violation::TRAILERS_TOO_LARGE);
    }
    check_fields(trailers, rules)?;
    // h2 resets a stream whose trailers hold fields of the connection.
    let misplaced = [header::HOST, header::CONTENT_LENGTH, header::EXPECT];
    if misplaced.iter().any(|name| trailers.contains_key(name)) { Err(Violation::TRAILER) } else { Ok(()) }
}

fn check_fields(fields: &HeaderMap, rules: &Rules) -> Result<(), Violation> {
    for (name, value) in fields {
        if !is_allowed_name(name.as_str().as_bytes(), rules.names) {
            return Err(Violation::FIELD_NAME);
        }
        // RFC 9113, section 8.2.1. HTTP/1 takes it off; a service behind us would do the same, or not.
        let value = value.as_bytes();
        if matches!(value.first(), Some(b' ' | b'\t')) || matches!(value.last(), Some(b' ' | b'\t')) {
            return Err(Violation::FIELD_VALUE);
        }
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

/// The length that a request's body is to have.
pub(super) fn body_length<B>(request: &Request<B>) -> Option<u64> {
    request.headers().get(header::CONTENT_LENGTH).and_then(|length| content_length(length.as_bytes()))
}

/// The authority that a request is for.
pub(super) fn authority<B>(request: &Request<B>) -> &[u8] {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    authority.or_else(|| request.headers().get(header::HOST).map(|host| host.as_bytes())).unwrap_or_default()
}
