//! Which fields may come after a message's body (RFC 9110, section 6.5.1).
//!
//! Who acts on a message has to know some fields before its content: those that frame or route the message, modify the
//! request, say who asks, control the response, or tell what the content is. In a trailer section they come too late for
//! every check of the gateway, and some recipients merge trailers into the head all the same. So no trailer section, of
//! a request or a response, is passed on with them.

use http::HeaderName;

use crate::hop_by_hop;

/// Whether a field may stand in a trailer section. Fields of applications may, as `grpc-status` and digests do.
pub fn may_trail(name: &HeaderName) -> bool {
    let name = name.as_str();
    !(hop_by_hop::is_one(name)
        || hop_by_hop::frames(name)
        || matches!(
            name,
            // Routing.
            "forwarded" | "host" | "max-forwards" | "via"
            // Request modifiers: controls and conditions.
            | "cache-control" | "expect" | "if-match" | "if-modified-since" | "if-none-match" | "if-range"
            | "if-unmodified-since" | "pragma" | "range"
            // Who asks.
            | "authorization" | "cookie" | "set-cookie" | "www-authenticate"
            // Control of the response.
            | "age" | "date" | "expires" | "location" | "retry-after" | "vary" | "warning"
            // The form of the content.
            | "content-encoding" | "content-range" | "content-type"
        ))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    /// By the parts of the list: RFC 9110, section 6.5.1, and the longer one of RFC 7230, section 4.1.2.
    const NEVER: [&str; 40] = [
        "connection",
        "content-length",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "forwarded",
        "host",
        "max-forwards",
        "via",
        "cache-control",
        "expect",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "pragma",
        "range",
        "authorization",
        "cookie",
        "proxy-authenticate",
        "proxy-authorization",
        "set-cookie",
        "www-authenticate",
        "age",
        "date",
        "expires",
        "location",
        "retry-after",
        "vary",
        "warning",
        "content-encoding",
        "content-range",
        "content-type",
        "Content-Type",
        "AUTHORIZATION",
    ];

    const PASS: [&str; 12] = [
        "authentication-info",
        "content-digest",
        "digest",
        "etag",
        "grpc-message",
        "grpc-status",
        "grpc-status-details-bin",
        "repr-digest",
        "server-timing",
        "x-amz-checksum-crc32",
        "x-sum",
        "x-trace-bin",
    ];

    #[test]
    fn what_has_to_be_known_before_the_content_does_not_trail_and_the_rest_does() {
        let mut trailers = HeaderMap::new();
        for name in NEVER.iter().chain(&PASS) {
            let name: HeaderName = name.parse().expect("a name");
            assert_eq!(may_trail(&name), PASS.contains(&name.as_str()), "{name}");
            trailers.append(name, http::HeaderValue::from_static("v"));
        }
        hop_by_hop::remove_from_trailers(&mut trailers);
        let mut kept: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
        kept.sort_unstable();
        assert_eq!(kept, PASS);
    }
}
