//! A request's head (RFC 9112, section 3), and how its body is framed.

use std::io::Write as _;

use http::{
    HeaderMap, HeaderValue, Method, Request,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};
use http_body::Body;

/// Where a request's body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After so many bytes more.
    Length(u64),
    Chunked,
}

/// Writes a head. Says how the body is to follow, and whether the connection is to be closed after it. The lengths
/// that the head names are ours to write.
pub(super) fn head<B: Body>(request: &Request<B>, out: &mut Vec<u8>) -> (Framing, bool) {
    let headers = request.headers();
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    out.reserve(target.len() + 64 * (headers.len() + 1));
    out.extend_from_slice(request.method().as_str().as_bytes());
    // An absolute URI may have no path before its query (RFC 9112, section 3.2.1).
    out.extend_from_slice(if target.starts_with('?') { b" /" } else { b" " });
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let (mut lengths, mut closes) = (false, false);
    for (name, value) in headers {
        let name = name.as_str();
        match name {
            "content-length" | "transfer-encoding" => {
                lengths = true;
                continue;
            }
            "connection" => closes |= asks_to_close(value),
            _ => {}
        }
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let framing = framing(headers, request.body());
    match framing {
        // Methods that mostly have a body say that there is none (RFC 9110, section 8.6).
        Framing::Length(0) if !lengths && !usually_has_body(request.method()) => {}
        // To a `Vec` nothing fails to be written.
        Framing::Length(length) => _ = write!(out, "content-length: {length}\r\n"),
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
    }
    out.extend_from_slice(b"\r\n");
    (framing, closes)
}

/// What the body itself says of its length counts first.
fn framing<B: Body>(headers: &HeaderMap, body: &B) -> Framing {
    if body.is_end_stream() {
        return Framing::Length(0);
    }
    if let Some(length) = body.size_hint().exact() {
        return Framing::Length(length);
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        return Framing::Chunked;
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    length.map_or(Framing::Chunked, Framing::Length)
}

fn usually_has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn asks_to_close(value: &HeaderValue) -> bool {
    value
        .as_bytes()
        .split(|byte| *byte == b',')
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}
