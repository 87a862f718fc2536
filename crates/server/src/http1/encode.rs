//! Responses as bytes: the head, and what frames the body (RFC 9112, sections 4, 6 and 7).

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version, response};

use super::{date, outbox::Outbox, request::Asked};
use crate::framing::content_length;

/// How a client finds the end of a response's body.
#[derive(Debug)]
pub(super) enum Framing {
    /// There is none.
    Empty,
    /// After so many more bytes.
    Length(u64),
    /// By the last chunk. Trailers are sent when the message has announced them by these values.
    Chunked { announced: Vec<HeaderValue> },
    /// By the end of the connection.
    UntilClose,
}

/// The body had less to give than its head had said.
#[derive(Debug)]
pub(super) struct TooShort(());

/// Adds the head of a response whose body is `size` bytes, where that is known. Clears `persistent` when the connection
/// cannot be used again after it, and tells the client so.
pub(super) fn head(
    out: &mut Vec<u8>,
    head: &response::Parts,
    size: Option<u64>,
    asked: Asked,
    persistent: &mut bool,
) -> Framing {
    status_line(out, head.status, asked.version);
    let switching = head.status == StatusCode::SWITCHING_PROTOCOLS;
    let (mut declared, mut dated, mut announces) = (None, false, false);
    for (name, value) in &head.headers {
        match name.as_str() {
            "content-length" => {
                declared = declared.or_else(|| content_length(value.as_bytes()));
                continue;
            }
            // They are of the connection, and ours to say.
            "transfer-encoding" | "keep-alive" => continue,
            "connection" if !switching => {
                if has_option(value, b"close") {
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
        field(out, name, value);
    }
    if !dated {
        out.extend_from_slice(b"date: ");
        date::append(out);
        out.extend_from_slice(b"\r\n");
    }
    let framing = if !has_body(head.status, asked) {
        if let Some(length) = length_without_body(head.status, asked, declared, size) {
            length_field(out, length);
        }
        Framing::Empty
    } else if let Some(length) = size.or(declared) {
        length_field(out, length);
        if length == 0 { Framing::Empty } else { Framing::Length(length) }
    } else if asked.version == Version::HTTP_11 {
        out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        let announced = if announces && asked.trailers {
            head.headers.get_all(http::header::TRAILER).iter().cloned().collect()
        } else {
            Vec::new()
        };
        Framing::Chunked { announced }
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
    framing
}

/// RFC 9110, section 6.4.1.
fn has_body(status: StatusCode, asked: Asked) -> bool {
    let without = status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        || asked.is_head;
    !without
}

/// The length that a response without a body may tell of (RFC 9110, section 8.6).
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

fn status_line(out: &mut Vec<u8>, status: StatusCode, version: Version) {
    if status == StatusCode::OK && version == Version::HTTP_11 {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        return;
    }
    out.extend_from_slice(if version == Version::HTTP_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    // The space after the code stays where there is no phrase (RFC 9112, section 4).
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Adds a field line.
#[inline]
pub(super) fn field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn length_field(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn has_option(value: &HeaderValue, option: &[u8]) -> bool {
    value.as_bytes().split(|byte| *byte == b',').any(|given| given.trim_ascii().eq_ignore_ascii_case(option))
}

impl Framing {
    /// Adds data of the body to an outbox that has room. What goes beyond the length that the head has told is left
    /// out; false then.
    pub(super) fn data(&mut self, out: &mut Outbox, mut data: Bytes) -> bool {
        let mut fits = true;
        match self {
            Self::Empty => return data.is_empty(),
            Self::UntilClose => out.push(data, b""),
            Self::Length(left) => {
                if data.len() as u64 > *left {
                    data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
                    fits = false;
                }
                *left -= data.len() as u64;
                out.push(data, b"");
            }
            Self::Chunked { .. } => {
                // An empty chunk would be the last one.
                if !data.is_empty() {
                    chunk_size(&mut out.buffer, data.len());
                    out.push(data, b"\r\n");
                }
            }
        }
        fits
    }

    /// Whether no more data can follow.
    pub(super) fn is_complete(&self) -> bool {
        matches!(self, Self::Empty | Self::Length(0))
    }

    /// Adds what ends the body.
    pub(super) fn end(&self, out: &mut Outbox, trailers: Option<&HeaderMap>) -> Result<(), TooShort> {
        match self {
            Self::Length(1..) => return Err(TooShort(())),
            Self::Chunked { announced } => {
                out.buffer.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten() {
                    if announced.iter().any(|names| has_option(names, name.as_str().as_bytes()))
                        && may_trail(name)
                    {
                        field(&mut out.buffer, name, value);
                    }
                }
                out.buffer.extend_from_slice(b"\r\n");
            }
            Self::Empty | Self::Length(_) | Self::UntilClose => {}
        }
        Ok(())
    }
}

fn chunk_size(out: &mut Vec<u8>, size: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(DIGITS[size >> (digit * 4) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
}

/// What frames, routes or modifies a message, or says who may read it, cannot come after it (RFC 9110, section 6.5.1).
fn may_trail(name: &HeaderName) -> bool {
    !matches!(
        name.as_str(),
        "authorization"
            | "cache-control"
            | "connection"
            | "content-encoding"
            | "content-length"
            | "content-range"
            | "content-type"
            | "host"
            | "max-forwards"
            | "set-cookie"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    )
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
        let (mut out, mut persistent) = (Vec::new(), true);
        let framing = head(&mut out, &parts, size, asked, &mut persistent);
        let text = String::from_utf8(out).expect("text").replacen("date: now\r\n", "", 1);
        (text, persistent, framing)
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
    fn the_service_may_close_the_connection() {
        let (head, persistent, _) = encode(GET, 200, &[("connection", "x, Close")], Some(0));
        assert_eq!(head, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        assert!(!persistent);
        let (head, persistent, _) =
            encode(OLD, 200, &[("connection", "keep-alive"), ("keep-alive", "x")], Some(0));
        assert_eq!(head, "HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n");
        assert!(persistent);
    }

    #[test]
    fn chunks_end_with_the_trailers_that_were_announced() {
        let asked = Asked { trailers: true, ..GET };
        let fields = [("trailer", "x-sum, content-length")];
        let (_, _, mut framing) = encode(asked, 200, &fields, None);
        let mut out = Outbox::default();
        assert!(framing.data(&mut out, Bytes::new()));
        assert!(framing.data(&mut out, Bytes::from_static(b"0123456789abcdef0")));
        let mut trailers = HeaderMap::new();
        for name in ["x-sum", "x-other", "content-length"] {
            trailers.insert(name, HeaderValue::from_static("1"));
        }
        framing.end(&mut out, Some(&trailers)).expect("whole");
        assert_eq!(out.buffer, b"11\r\n0123456789abcdef0\r\n0\r\nx-sum: 1\r\n\r\n");
        // A client that did not say that it takes them gets none.
        let (_, _, framing) = encode(GET, 200, &fields, None);
        let mut out = Outbox::default();
        framing.end(&mut out, Some(&trailers)).expect("whole");
        assert_eq!(out.buffer, b"0\r\n\r\n");
    }

    #[test]
    fn a_body_is_held_to_its_length() {
        let (_, _, mut framing) = encode(GET, 200, &[("content-length", "3")], None);
        let mut out = Outbox::default();
        assert!(framing.data(&mut out, Bytes::from_static(b"ab")));
        assert!(framing.end(&mut out, None).is_err());
        assert!(!framing.data(&mut out, Bytes::from_static(b"cd")));
        assert_eq!(out.buffer, b"abc");
        assert!(framing.is_complete() && framing.end(&mut out, None).is_ok());
    }

    #[test]
    fn the_size_of_a_chunk_is_hexadecimal() {
        for (size, expected) in [(1, "1\r\n"), (15, "f\r\n"), (16, "10\r\n"), (65_536, "10000\r\n")] {
            let mut out = Vec::new();
            chunk_size(&mut out, size);
            assert_eq!(out, expected.as_bytes());
        }
    }
}
