//! Plain HTTP on a port for TLS, told by the first octet that a client sends.

use std::io;

use bytes::{Bytes, BytesMut};
use gatewright_core::{ReplyFormat, problem::Problem};
use http::{Response, StatusCode};
use tokio::io::AsyncReadExt;

use crate::{refused::RequestLine, service::problem, transport::Socket};

/// What TLS reads at a time, so that looking first costs no read of its own.
const FIRST_READ: usize = 4096;

/// The words of the response.
const DETAIL: &str = "This port is for HTTPS, and the request was sent in plain HTTP. Use https:// in its URL.";

/// Reads once. A method begins with a capital letter, and no record of TLS does (RFC 8446, section 5.1, and RFC 5246,
/// appendix E.2); what is no HTTP is put back. Gives the request line, or as much of it as has come.
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

/// What such a client is told.
pub(super) fn response() -> Response<Bytes> {
    problem(Problem::new(StatusCode::BAD_REQUEST).detail(DETAIL), ReplyFormat::Problem, None)
}
