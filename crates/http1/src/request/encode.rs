//! A request's head on its way out (RFC 9112, section 3), and how its body is framed.

use http::{
    HeaderMap, Method, Request,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

use crate::{
    body_writer::{Framing, put_field, put_length},
    length::content_length,
    token::has_element,
    write_buffer::WriteBuffer,
};

/// Writes the head of a request whose body is `size` bytes, where the body itself knows. Says how the body is to follow,
/// and whether the connection is to be closed after it. The lengths that the head names are rewritten.
pub fn write_head<B>(request: &Request<B>, size: Option<u64>, out: &mut WriteBuffer) -> (Framing, bool) {
    let out = out.end();
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
        match name.as_str() {
            "content-length" | "transfer-encoding" => {
                lengths = true;
                continue;
            }
            "connection" => closes |= has_element(value.as_bytes(), b"close"),
            _ => {}
        }
        put_field(out, name, value);
    }
    let framing = framing(headers, size);
    match framing {
        // Methods that mostly have a body say that there is none (RFC 9110, section 8.6).
        Framing::Empty if lengths || usually_has_body(request.method()) => put_length(out, 0),
        Framing::Length(length) => put_length(out, length),
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        // A request cannot end with its connection.
        Framing::Empty | Framing::UntilClose => {}
    }
    out.extend_from_slice(b"\r\n");
    (framing, closes)
}

/// What the body itself says of its length counts first.
fn framing(headers: &HeaderMap, size: Option<u64>) -> Framing {
    let of_length = |length| if length == 0 { Framing::Empty } else { Framing::Length(length) };
    if let Some(size) = size {
        return of_length(size);
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        return Framing::Chunked;
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| content_length(length.as_bytes()));
    length.map_or(Framing::Chunked, of_length)
}

fn usually_has_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}
