//! Writing the head of a request (RFC 9112, section 3), with the framing of its body.

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

/// Writes the head of a request whose body has `size` bytes, if the body knows its size. Gives the framing of the body, and
/// whether the connection must be closed after it. The lengths in the head are written anew.
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
        // A method that usually has a body declares an empty one (RFC 9110, section 8.6).
        Framing::Empty if lengths || usually_has_body(request.method()) => put_length(out, 0),
        Framing::Length(length) => put_length(out, length),
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        // The end of the connection cannot end a request.
        Framing::Empty | Framing::UntilClose => {}
    }
    out.extend_from_slice(b"\r\n");
    (framing, closes)
}

/// The framing of a body. The size that the body itself knows goes before the declared length.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The head, the framing and whether the connection is to be closed.
    fn encode(line: &str, fields: &[(&str, &str)], size: Option<u64>) -> (String, Framing, bool) {
        let (method, target) = line.split_once(' ').expect("a method and a target");
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut out = WriteBuffer::default();
        let (framing, closes) = write_head(&request.body(()).expect("a request"), size, &mut out);
        (String::from_utf8(out.to_vec()).expect("text"), framing, closes)
    }

    #[test]
    fn a_request_line_names_the_path_and_the_query_alone() {
        for (line, expected) in [
            ("GET /a?b", "GET /a?b"),
            ("DELETE /", "DELETE /"),
            ("OPTIONS *", "OPTIONS *"),
            ("GET http://a.example/b?c", "GET /b?c"),
            ("GET http://a.example?c", "GET /?c"),
            ("GET http://a.example", "GET /"),
            ("CONNECT a.example:443", "CONNECT /"),
        ] {
            assert_eq!(encode(line, &[], Some(0)).0, format!("{expected} HTTP/1.1\r\n\r\n"), "{line}");
        }
    }

    #[test]
    fn what_the_body_says_of_its_length_counts_first() {
        let (five, chunked) = ("content-length: 5\r\n", "transfer-encoding: chunked\r\n");
        for (method, fields, size, framing, expected) in [
            ("GET", &[][..], Some(0), Framing::Empty, ""),
            ("GET", &[], Some(5), Framing::Length(5), five),
            ("GET", &[], None, Framing::Chunked, chunked),
            // Methods that mostly have a body say that there is none.
            ("POST", &[], Some(0), Framing::Empty, "content-length: 0\r\n"),
            ("PUT", &[], Some(0), Framing::Empty, "content-length: 0\r\n"),
            ("PATCH", &[], Some(0), Framing::Empty, "content-length: 0\r\n"),
            ("DELETE", &[], Some(0), Framing::Empty, ""),
            // The lengths that the head names are rewritten.
            ("GET", &[("content-length", "0")], None, Framing::Empty, "content-length: 0\r\n"),
            ("GET", &[("content-length", "7")], Some(0), Framing::Empty, "content-length: 0\r\n"),
            ("GET", &[("content-length", "7")], Some(5), Framing::Length(5), five),
            ("GET", &[("content-length", "5")], None, Framing::Length(5), five),
            ("GET", &[("content-length", "x")], None, Framing::Chunked, chunked),
            ("GET", &[("transfer-encoding", "chunked")], Some(0), Framing::Empty, "content-length: 0\r\n"),
            ("GET", &[("transfer-encoding", "gzip")], None, Framing::Chunked, chunked),
            (
                "GET",
                &[("transfer-encoding", "chunked"), ("content-length", "5")],
                None,
                Framing::Chunked,
                chunked,
            ),
            (
                "GET",
                &[("transfer-encoding", "chunked"), ("content-length", "5")],
                Some(5),
                Framing::Length(5),
                five,
            ),
        ] {
            let head = format!("{method} / HTTP/1.1\r\n{expected}\r\n");
            assert_eq!(
                encode(&format!("{method} /"), fields, size),
                (head, framing, false),
                "{fields:?} {size:?}"
            );
        }
    }

    #[test]
    fn fields_are_written_in_their_order_and_one_may_close_the_connection() {
        for (connection, expected) in
            [("close", true), ("x, Close", true), ("keep-alive", false), ("x", false), ("closed", false)]
        {
            let fields = [("host", "a"), ("connection", connection), ("x", ""), ("x", "2")];
            let head = format!("GET / HTTP/1.1\r\nhost: a\r\nconnection: {connection}\r\nx: \r\nx: 2\r\n\r\n");
            assert_eq!(encode("GET /", &fields, Some(0)), (head, Framing::Empty, expected));
        }
        let twice = [("connection", "close"), ("connection", "x")];
        assert!(encode("GET /", &twice, Some(0)).2 && encode("GET /", &[("x", "close")], Some(0)).2.eq(&false));
    }

    #[test]
    fn a_head_is_given_its_room_at_once() {
        let request =
            Request::get("/0123456789").header("host", "a").header("x", "1").body(()).expect("a request");
        let mut out = WriteBuffer::default();
        write_head(&request, Some(0), &mut out);
        assert_eq!(out.take_memory().capacity(), "/0123456789".len() + 3 * 64, "64 bytes a line");
    }
}
