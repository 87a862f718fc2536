//! Fields that belong to one connection and are not forwarded (RFC 9110, section 7.6.1).

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::trailers::may_trail;

/// Fields that a `Connection` field may not take away: the target, and what layers before the proxy may have set.
const KEPT: &[&str] = &["host", "traceparent", "tracestate", "x-request-id"];

/// Removes the fields that `Connection` nominates, and leaves of `Connection` itself what an upgrade needs.
///
/// This is done where a request comes in, before any layer adds fields of its own: a client that nominates those
/// would otherwise have them removed again.
pub fn remove_nominated(headers: &mut HeaderMap) {
    let mut options = headers.get_all(header::CONNECTION).iter();
    let Some(first) = options.next() else { return };
    // What nearly every peer says, if anything.
    if options.next().is_none()
        && [&b"keep-alive"[..], b"close"].iter().any(|plain| first.as_bytes().eq_ignore_ascii_case(plain))
    {
        headers.remove(header::CONNECTION);
        return;
    }
    let mut upgrade = false;
    let mut nominated: Vec<HeaderName> = Vec::new();
    for value in headers.get_all(header::CONNECTION) {
        for option in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"upgrade") {
                upgrade = true;
            } else if !option.eq_ignore_ascii_case(b"keep-alive")
                && !option.eq_ignore_ascii_case(b"close")
                && let Ok(name) = HeaderName::from_bytes(option)
                && !KEPT.contains(&name.as_str())
                && name != header::TE
            {
                nominated.push(name);
            }
        }
    }
    for name in nominated {
        headers.remove(name);
    }
    if upgrade {
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    } else {
        headers.remove(header::CONNECTION);
    }
}

/// Removes all fields that belong to one connection, those that `Connection` nominates among them.
///
/// `Trailer` stays: it describes the message, and without it HTTP/1 trailers are not sent on.
pub fn remove(headers: &mut HeaderMap) {
    if headers.keys().any(|name| is_one(name.as_str())) {
        remove_nominated(headers);
    }
    while let Some(name) = headers.keys().find(|name| is_one(name.as_str())) {
        let name = name.clone();
        headers.remove(name);
    }
}

/// Whether a field of this name, in lower case, always belongs to one connection.
pub fn is_one(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "http2-settings"
            | "keep-alive"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
    )
}

/// Whether a field of this name, in lower case, frames the message or runs its connection: another value than the true one
/// is how requests are smuggled, so none of these is for a configuration to change.
pub fn frames(name: &str) -> bool {
    match name {
        "content-length" | "trailer" => true,
        "proxy-authenticate" | "proxy-authorization" => false,
        name => is_one(name),
    }
}

/// Removes from a trailer section what belongs to one connection, and all that [may not trail](may_trail): there it would
/// come too late for us, and HTTP/2 peers refuse it (RFC 9110, section 6.5.1).
pub fn remove_from_trailers(trailers: &mut HeaderMap) {
    remove(trailers);
    while let Some(name) = trailers.keys().find(|name| !may_trail(name)) {
        let name = name.clone();
        trailers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nominated_fields_go_and_an_upgrade_stays() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret"),
            ("connection", "Upgrade,x-request-id, host"),
            ("x-secret", "1"),
            ("x-request-id", "2"),
            ("host", "a"),
            ("upgrade", "websocket"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        remove_nominated(&mut headers);
        assert_eq!(headers["connection"], "upgrade");
        assert!(!headers.contains_key("x-secret"));
        assert_eq!(headers.len(), 4);
        remove(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["host", "x-request-id"]);
    }
}
