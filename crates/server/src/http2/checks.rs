//! What h2 does not check of a request.
//!
//! h2 itself resets a stream whose head holds connection-specific fields, `te` other than `trailers`, upper case,
//! control characters, or pseudo-header fields out of place (RFC 9113, section 8.2 and 8.3).

use gatewright_http1::{Refusal, Rules, Violation, content_length, host, is_valid_target, keeps_name};
use http::{HeaderMap, Method, Request, header};

/// Holds the head to the rules that HTTP/1 is held to, and leaves out fields for their names. Gives how many.
pub(super) fn check<B>(request: &mut Request<B>, rules: &Rules) -> Result<u16, Refusal> {
    check_size(request, rules)?;
    check_target(request, rules)?;
    let dropped_fields = check_fields(request.headers_mut(), rules)?;
    check_host(request)?;
    check_length(request.headers())?;
    let mut expectations = request.headers().get_all(header::EXPECT).iter();
    if expectations.any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Violation::EXPECTATION.into());
    }
    Ok(dropped_fields)
}

/// A head of HTTP/2 may be as large as one of HTTP/1 that says the same: cookies in crumbs are one field there
/// (RFC 9113, section 8.2.3).
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
    // Each crumb after the first one needs `; ` alone.
    let saved = crumbs.saturating_sub(1) * ("cookie: \r\n".len() - "; ".len());
    let size = line + host + fields.sum::<usize>() - saved + "\r\n".len();
    if size > rules.max_head { Err(Violation::HEAD_TOO_LARGE) } else { Ok(()) }
}

fn check_target<B>(request: &Request<B>, rules: &Rules) -> Result<(), Violation> {
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
    Ok(())
}

/// Trailers are held to the rules of a head, and hold nothing that frames or routes (RFC 9110, section 6.5.1).
pub(super) fn check_trailers(trailers: &mut HeaderMap, rules: &Rules) -> Result<(), Violation> {
    if trailers.len() > usize::from(rules.max_fields) {
        return Err(Violation::TRAILERS_TOO_LARGE);
    }
    check_fields(trailers, rules).map_err(|refusal| refusal.violation())?;
    // h2 resets a stream whose trailers hold fields of the connection.
    let misplaced = [header::HOST, header::CONTENT_LENGTH, header::EXPECT];
    if misplaced.iter().any(|name| trailers.contains_key(name)) { Err(Violation::TRAILER) } else { Ok(()) }
}

/// Gives how many fields were left out.
fn check_fields(fields: &mut HeaderMap, rules: &Rules) -> Result<u16, Refusal> {
    let mut unusual = Vec::new();
    for name in fields.keys() {
        let text = name.as_str().as_bytes();
        if !keeps_name(text, rules).map_err(|violation| Refusal::from(violation).in_field(text))? {
            unusual.push(name.clone());
        }
    }
    let before = fields.len();
    for name in unusual {
        fields.remove(name);
    }
    for (name, value) in &*fields {
        // RFC 9113, section 8.2.1. HTTP/1 takes it off; a service behind us would do the same, or not.
        let value = value.as_bytes();
        if matches!(value.first(), Some(b' ' | b'\t')) || matches!(value.last(), Some(b' ' | b'\t')) {
            return Err(Refusal::from(Violation::FIELD_VALUE).in_field(name.as_str().as_bytes()));
        }
    }
    Ok(u16::try_from(before - fields.len()).unwrap_or(u16::MAX))
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
