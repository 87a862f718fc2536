//! Detecting the protocol of a cleartext client by its first bytes (RFC 9113, section 3.4).

use std::io;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;

use crate::transport::Socket;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The size of the first read; most requests without a body fit.
const FIRST_READ: usize = 1024;

/// The protocols that a connection may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

impl Protocol {
    /// The protocol that ALPN chose (RFC 7301).
    #[cfg(feature = "tls")]
    pub(crate) fn of_alpn(name: &[u8]) -> Self {
        if name == b"h2" { Self::Http2 } else { Self::Http1 }
    }
}

/// Reads until the protocol is certain, and puts the bytes back.
pub(super) async fn read(socket: &mut Socket) -> io::Result<Protocol> {
    let mut first = BytesMut::with_capacity(FIRST_READ);
    loop {
        if socket.read_buf(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let protocol = if first.starts_with(PREFACE) {
            Protocol::Http2
        } else if PREFACE.starts_with(&first) {
            continue;
        } else {
            Protocol::Http1
        };
        socket.put_back(first.freeze());
        return Ok(protocol);
    }
}
