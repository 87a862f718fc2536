//! Writing the head of a response (RFC 9112, sections 4 and 6), with the framing of its body.

use http::{HeaderMap, HeaderValue, StatusCode, Version};

use super::date;
use crate::{
    body_writer::{BodyWriter, Framing, put_field, put_length},
    length::content_length,
    token::has_element,
    write_buffer::WriteBuffer,
};

/// The facts about a request that shape its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// Whether the method is HEAD.
    pub is_head: bool,
    /// The version of the request.
    pub version: Version,
    /// Whether the client accepts trailers (RFC 9110, section 6.5.1).
    pub trailers: bool,
}

impl Asked {
    /// The facts about a request.
    pub fn new(is_head: bool, version: Version, trailers: bool) -> Self {
        Self { is_head, version, trailers }
    }
}

/// Writes the head of a response whose body has `size` bytes, if the size is known. Clears `persistent` if the connection
/// cannot be used again after the response, and tells the client so. Adds a date if there is none.
pub fn write_head(
    status: StatusCode,
    headers: &HeaderMap,
    size: Option<u64>,
    asked: Asked,
    persistent: &mut bool,
    out: &mut WriteBuffer,
) -> BodyWriter {
    let out = out.end();
    put_status_line(out, status, asked.version);
    let switching = status == StatusCode::SWITCHING_PROTOCOLS;
    let (mut declared, mut dated, mut announces) = (None, false, false);
    for (name, value) in headers {
        match name.as_str() {
            "content-length" => {
                declared = declared.or_else(|| content_length(value.as_bytes()));
                continue;
            }
            // The connection itself writes these fields.
            "transfer-encoding" | "keep-alive" => continue,
            "connection" if !switching => {
                if has_element(value.as_bytes(), b"close") {
                    *persistent = false;
                    continue;
                }
                if value.as_bytes().eq_ignore_ascii_case(b"keep-alive") {
                    continue;
                }
            }
            "date" => dated = true,
            "trailer" => announces = true,
            _ => {}
        }
        put_field(out, name, value);
    }
    if !dated {
        out.extend_from_slice(b"date: ");
        date::append(out);
        out.extend_from_slice(b"\r\n");
    }
    let framing = if !has_body(status, asked) {
        if let Some(length) = length_without_body(status, asked, declared, size) {
            put_length(out, length);
        }
        Framing::Empty
    } else if let Some(length) = size.or(declared) {
        put_length(out, length);
        if length == 0 { Framing::Empty } else { Framing::Length(length) }
    } else if asked.version == Version::HTTP_11 {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        Framing::Chunked
    } else {
        *persistent = false;
        Framing::UntilClose
    };
    if !switching && !*persistent {
        out.extend_from_slice(b"connection: close\r\n");
    } else if asked.version == Version::HTTP_10 {
        out.extend_from_slice(b"connection: keep-alive\r\n");
    }
    out.extend_from_slice(b"\r\n");
    let announced = if announces && asked.trailers { announced(headers) } else { Vec::new() };
    BodyWriter::announcing(framing, announced)
}

fn announced(headers: &HeaderMap) -> Vec<HeaderValue> {
    headers.get_all(http::header::TRAILER).iter().cloned().collect()
}

/// Writes an interim response (RFC 9110, section 15.2), which has no body and no connection fields.
pub fn write_interim(status: StatusCode, headers: &HeaderMap, out: &mut Vec<u8>) {
    put_status_line(out, status, Version::HTTP_11);
    for (name, value) in headers {
        if !matches!(
            name.as_str(),
            "content-length" | "transfer-encoding" | "connection" | "upgrade" | "trailer"
        ) {
            put_field(out, name, value);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// RFC 9110, section 6.4.1.
fn has_body(status: StatusCode, asked: Asked) -> bool {
    let without = status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || asked.is_head;
    !without
}

/// The length that a response without a body may declare (RFC 9110, section 8.6).
fn length_without_body(
    status: StatusCode,
    asked: Asked,
    declared: Option<u64>,
    size: Option<u64>,
) -> Option<u64> {
    if status.is_informational() || status == StatusCode::NO_CONTENT {
        return None;
    }
    let of_body = if asked.is_head { size.filter(|size| *size > 0) } else { None };
    declared.or(of_body)
}

fn put_status_line(out: &mut Vec<u8>, status: StatusCode, version: Version) {
    if status == StatusCode::OK && version == Version::HTTP_11 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(if version == Version::HTTP_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    // The space after the code is required even without a phrase (RFC 9112, section 4).
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    const GET: Asked = Asked { is_head: false, version: Version::HTTP_11, trailers: false };
    const HEAD: Asked = Asked { is_head: true, ..GET };
    const OLD: Asked = Asked { version: Version::HTTP_10, ..GET };

    /// The head without its date, whether the connection persists, and the framing.
    fn encode(
        asked: Asked,
        status: u16,
        fields: &[(&str, &str)],
        size: Option<u64>,
    ) -> (String, bool, Framing) {
        let mut response = Response::builder().status(status).header("date", "now");
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let (parts, ()) = response.body(()).expect("a response").into_parts();
        let (mut out, mut persistent) = (WriteBuffer::default(), true);
        let writer = write_head(parts.status, &parts.headers, size, asked, &mut persistent, &mut out);
        let text = String::from_utf8(out.to_vec()).expect("text").replacen("date: now\r\n", "", 1);
        (text, persistent, writer.framing())
    }

    fn text(asked: Asked, status: u16, fields: &[(&str, &str)], size: Option<u64>) -> String {
        encode(asked, status, fields, size).0
    }

    #[test]
    fn a_body_is_framed_as_is_known_of_it() {
        assert_eq!(text(GET, 200, &[], Some(5)), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(text(GET, 404, &[], Some(0)), "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
        let declared = text(GET, 200, &[("content-length", "7")], None);
        assert_eq!(declared, "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n");
        // What the body says of itself counts for more.
        let declared = text(GET, 200, &[("content-length", "7"), ("content-length", "x")], Some(5));
        assert_eq!(declared, "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        let chunked = text(GET, 200, &[("transfer-encoding", "gzip")], None);
        assert_eq!(chunked, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        let (head, persistent, framing) = encode(OLD, 200, &[], None);
        assert_eq!(head, "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n");
        assert!(!persistent && matches!(framing, Framing::UntilClose));
    }

    #[test]
    fn some_responses_have_no_body() {
        assert_eq!(text(GET, 204, &[("content-length", "0")], Some(5)), "HTTP/1.1 204 No Content\r\n\r\n");
        assert_eq!(text(GET, 304, &[], Some(0)), "HTTP/1.1 304 Not Modified\r\n\r\n");
        let length = [("content-length", "9")];
        assert_eq!(text(GET, 304, &length, Some(0)), "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n");
        assert_eq!(text(HEAD, 200, &length, Some(0)), "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n");
        assert_eq!(text(HEAD, 200, &[], Some(5)), "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n");
        assert_eq!(text(HEAD, 200, &[], None), "HTTP/1.1 200 OK\r\n\r\n");
        let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
        assert_eq!(
            text(GET, 101, &upgrade, Some(0)),
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        );
    }

    #[test]
    fn a_length_is_told_only_of_a_body_that_there_could_be() {
        let nine = [("content-length", "9")];
        for (asked, status, fields, size, expected) in [
            (HEAD, 200, &[][..], Some(0), ""),
            (HEAD, 200, &[], Some(1), "content-length: 1\r\n"),
            (HEAD, 304, &[], Some(5), "content-length: 5\r\n"),
            (HEAD, 204, &nine, Some(5), ""),
            (HEAD, 100, &nine, Some(5), ""),
            (GET, 100, &nine, None, ""),
            (GET, 103, &[], Some(5), ""),
            (GET, 204, &[], None, ""),
            (GET, 304, &[], Some(5), ""),
            (GET, 304, &[], None, ""),
            (GET, 304, &nine, None, "content-length: 9\r\n"),
        ] {
            let (head, persistent, framing) = encode(asked, status, fields, size);
            let (line, rest) = head.split_once("\r\n").expect("a line");
            assert!(line.starts_with(&format!("HTTP/1.1 {status} ")), "{line}");
            assert_eq!(rest, format!("{expected}\r\n"), "{status} {fields:?} {size:?}");
            assert_eq!((persistent, framing), (true, Framing::Empty));
        }
        for (asked, size, framing) in [
            (GET, Some(0), Framing::Empty),
            (GET, Some(1), Framing::Length(1)),
            (GET, None, Framing::Chunked),
            (OLD, Some(1), Framing::Length(1)),
            (OLD, None, Framing::UntilClose),
        ] {
            assert_eq!(encode(asked, 200, &[], size).2, framing);
        }
        let twice = [("content-length", "9"), ("content-length", "10")];
        assert_eq!(encode(GET, 200, &twice, None).2, Framing::Length(9));
    }

    #[test]
    fn a_status_line_tells_the_version_that_was_asked_in_and_the_usual_phrase() {
        for (asked, status, expected) in [
            (GET, 200, "HTTP/1.1 200 OK"),
            (OLD, 200, "HTTP/1.0 200 OK"),
            (GET, 201, "HTTP/1.1 201 Created"),
            (OLD, 404, "HTTP/1.0 404 Not Found"),
            (GET, 599, "HTTP/1.1 599 "),
        ] {
            assert_eq!(text(asked, status, &[], Some(0)).split("\r\n").next(), Some(expected));
        }
    }

    #[test]
    fn the_connection_is_the_connections_to_say_unless_it_switches() {
        for (asked, status, fields, before, expected, after) in [
            (GET, 200, &[][..], false, "connection: close\r\n", false),
            (GET, 200, &[("connection", "keep-alive")], true, "", true),
            (GET, 200, &[("connection", "Keep-Alive")], false, "connection: close\r\n", false),
            (GET, 200, &[("connection", "close")], true, "connection: close\r\n", false),
            (GET, 200, &[("keep-alive", "timeout=5")], true, "", true),
            (OLD, 200, &[], true, "connection: keep-alive\r\n", true),
            (OLD, 200, &[], false, "connection: close\r\n", false),
            (GET, 101, &[("connection", "upgrade, close")], true, "connection: upgrade, close\r\n", true),
            (GET, 101, &[("connection", "keep-alive")], true, "connection: keep-alive\r\n", true),
            (GET, 101, &[("connection", "upgrade")], false, "connection: upgrade\r\n", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("date", HeaderValue::from_static("now"));
            for (name, value) in fields {
                headers.append(*name, HeaderValue::from_static(value));
            }
            let (mut out, mut persistent) = (WriteBuffer::default(), before);
            let status = StatusCode::from_u16(status).expect("a status");
            write_head(status, &headers, Some(0), asked, &mut persistent, &mut out);
            let head = String::from_utf8(out.to_vec()).expect("text");
            let lines: String =
                head.split_inclusive("\r\n").filter(|line| line.contains("onnection:")).collect();
            assert_eq!((&lines[..], persistent), (expected, after), "{head}");
            assert!(!head.contains("timeout"), "{head}");
        }
        // What says more than that is passed on.
        let (head, persistent, _) = encode(GET, 200, &[("connection", "x")], Some(0));
        assert_eq!(
            (&head[..], persistent),
            ("HTTP/1.1 200 OK\r\nconnection: x\r\ncontent-length: 0\r\n\r\n", true)
        );
    }

    #[test]
    fn a_head_has_one_date() {
        let dates = |headers: &HeaderMap| {
            let (mut out, mut persistent) = (WriteBuffer::default(), true);
            write_head(StatusCode::OK, headers, Some(0), GET, &mut persistent, &mut out);
            let head = String::from_utf8(out.to_vec()).expect("text");
            head.split("\r\n")
                .filter_map(|line| line.strip_prefix("date: "))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let mut headers = HeaderMap::new();
        let added = dates(&headers);
        assert!(added.len() == 1 && httpdate::parse_http_date(&added[0]).is_ok(), "{added:?}");
        headers.insert("date", HeaderValue::from_static("now"));
        assert_eq!(dates(&headers), ["now"]);
    }

    #[test]
    fn trailers_are_those_announced_to_a_client_that_takes_them() {
        let mut trailers = HeaderMap::new();
        for name in ["x-a", "x-b", "x-c", "x-d"] {
            trailers.insert(name, HeaderValue::from_static("1"));
        }
        let taking = Asked::new(false, Version::HTTP_11, true);
        assert_eq!((taking.is_head, taking.version, taking.trailers), (false, Version::HTTP_11, true));
        for (asked, announced, expected) in [
            (taking, &["x-a, x-b", "X-C"][..], "x-a: 1\r\nx-b: 1\r\nx-c: 1\r\n"),
            (taking, &[], ""),
            (GET, &["x-a"], ""),
        ] {
            let mut headers = HeaderMap::new();
            for names in announced {
                headers.append("trailer", HeaderValue::from_static(names));
            }
            let (mut out, mut persistent) = (WriteBuffer::default(), true);
            let mut writer = write_head(StatusCode::OK, &headers, None, asked, &mut persistent, &mut out);
            out.clear();
            writer.end(&mut out, Some(&trailers)).expect("chunks have no length");
            assert_eq!(out.to_vec(), format!("0\r\n{expected}\r\n").as_bytes(), "{announced:?}");
        }
    }

    #[test]
    fn an_interim_response_says_nothing_of_the_connection_or_a_body() {
        let mut headers = HeaderMap::new();
        for name in ["link", "content-length", "transfer-encoding", "connection", "upgrade", "trailer", "x"] {
            headers.insert(name, HeaderValue::from_static("1"));
        }
        let mut out = Vec::new();
        write_interim(StatusCode::EARLY_HINTS, &headers, &mut out);
        write_interim(StatusCode::CONTINUE, &HeaderMap::new(), &mut out);
        let expected = "HTTP/1.1 103 Early Hints\r\nlink: 1\r\nx: 1\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n";
        assert_eq!(String::from_utf8(out).as_deref(), Ok(expected));
    }

    #[test]
    fn the_service_may_close_the_connection() {
        let (head, persistent, _) = encode(GET, 200, &[("connection", "x, Close")], Some(0));
        assert_eq!(head, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        assert!(!persistent);
        let (head, persistent, _) =
            encode(OLD, 200, &[("connection", "keep-alive"), ("keep-alive", "x")], Some(0));
        assert_eq!(head, "HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n");
        assert!(persistent);
    }
}
