//! Detecting plain HTTP on a TLS port by the first octet of the client.

use std::io;

use bytes::{Bytes, BytesMut};
use gatewright_core::{ReplyFormat, problem::Problem};
use http::{Response, StatusCode};
use tokio::io::AsyncReadExt;

use crate::{refused::RequestLine, service::problem, transport::Socket};

/// The read size of the TLS library. The handshake then reuses these bytes, and detection costs no extra read.
const FIRST_READ: usize = 4096;

/// The sentence in the response.
const DETAIL: &str = "This port is for HTTPS, and the request was sent in plain HTTP. Use https:// in its URL.";

/// Reads once. A method begins with a capital letter, and no TLS record does (RFC 8446, section 5.1, and RFC 5246,
/// appendix E.2). Bytes that are not HTTP are put back. For HTTP, gives the part of the request line that has arrived.
pub(super) async fn read(socket: &mut Socket) -> io::Result<Option<RequestLine>> {
    let mut first = BytesMut::with_capacity(FIRST_READ);
    if socket.read_buf(&mut first).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if !first.first().is_some_and(u8::is_ascii_uppercase) {
        socket.put_back(first.freeze());
        return Ok(None);
    }
    let line = first[..].split(|octet| matches!(octet, b'\r' | b'\n')).next().unwrap_or_default();
    let mut words = line.split(|octet| *octet == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    Ok(Some(RequestLine::new(method, target)))
}

/// The response to plain HTTP.
pub(super) fn response() -> Response<Bytes> {
    problem(Problem::new(StatusCode::BAD_REQUEST).detail(DETAIL), ReplyFormat::Problem, None)
}
