//! Closing a connection so that the last bytes arrive.

use std::time::Duration;

use bytes::Bytes;
use http::{Response, header};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::transport::Transport;

/// How long a closing client is waited for, and how much of what it still sends is read.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 1024 * 1024;

/// Whether the client may still be sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linger {
    /// What it sends is read and thrown away for a while: a close over unread bytes would be a reset, which may
    /// destroy the response on its way.
    Yes,
    No,
}

/// Writes the last bytes and closes. Failures do not matter: the connection ends either way.
pub(crate) async fn close(mut transport: Transport, last: Bytes, linger: Linger) {
    let closing = async {
        transport.write_all(&last).await?;
        transport.shutdown().await?;
        if linger == Linger::Yes {
            let mut thrown_away = [0; 4096];
            let mut left = LINGER_BYTES;
            while left > 0 {
                match transport.read(&mut thrown_away).await? {
                    0 => break,
                    read => left = left.saturating_sub(read),
                }
            }
        }
        std::io::Result::Ok(())
    };
    let _ = timeout(LINGER, closing).await;
}

/// The bytes of a last response of HTTP/1.1.
pub(crate) fn encode_last(response: &Response<Bytes>, without_body: bool) -> Bytes {
    let status = response.status();
    let mut out = Vec::with_capacity(512);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or("Error").as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in response.headers() {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let end = format!(
        "{}: {}\r\n{}: close\r\n\r\n",
        header::CONTENT_LENGTH,
        response.body().len(),
        header::CONNECTION
    );
    out.extend_from_slice(end.as_bytes());
    if !without_body {
        out.extend_from_slice(response.body());
    }
    out.into()
}
