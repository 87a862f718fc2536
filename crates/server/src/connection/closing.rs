//! Closing a connection in a way that lets the last bytes arrive.
//!
//! A close while received bytes are unread makes the kernel send a reset, and a reset may destroy the response on its way
//! to the client. So the close reads and throws away the client's bytes for a while, within bounds.

use std::{future::poll_fn, io, pin::Pin, task::Poll, time::Duration};

use bytes::Bytes;
use gatewright_http1::{Asked, WriteBuffer, write_response_head};
use http::{Response, Version};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf},
    time::timeout,
};

use super::shared::Shared;
use crate::{
    drain::{Connections, Phase},
    limits::Limits,
    transport::Transport,
};

/// The bounds for a client that is not within a request: the time, and the bytes that are read and thrown away.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 1024 * 1024;
/// A client that has been silent for this long sends nothing more.
const SILENCE: Duration = Duration::from_millis(500);
/// The size of a read whose bytes are thrown away.
const SCRATCH: usize = 16 * 1024;

/// Whether the client may still be sending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Linger {
    /// The client may be sending; its bytes are read and thrown away for a while.
    Yes,
    /// The client may be within a request, and may read nothing before it has sent all of it. The limits give the time and
    /// the bytes.
    MidRequest,
    /// The client is probably not sending. Its bytes are thrown away only if some have arrived already, for example a line
    /// break after a body.
    IfUnread,
    /// The client is not sending; the socket is closed at once.
    No,
}

/// The bounds of a close: its time, the longest silence, and the bytes that are thrown away.
struct Bounds {
    total: Duration,
    pause: Duration,
    bytes: u64,
}

impl Bounds {
    const SHORT: Self = Self { total: LINGER, pause: SILENCE, bytes: LINGER_BYTES };

    fn of(linger: Linger, limits: &Limits) -> Self {
        match linger {
            Linger::Yes | Linger::IfUnread => Self::SHORT,
            Linger::No => Self { bytes: 0, ..Self::SHORT },
            Linger::MidRequest => {
                Self { total: limits.linger_timeout, pause: limits.linger_pause, bytes: limits.max_discarded }
            }
        }
    }
}

/// Writes the last bytes and closes. A failure does not matter, because the connection ends either way.
pub(crate) async fn close(mut transport: Transport, last: Bytes, linger: Linger, shared: &Shared) {
    let bounds = Bounds::of(linger, &shared.limits);
    let closing = async {
        transport.write_all(&last).await?;
        transport.shutdown().await?;
        if linger == Linger::IfUnread && !has_unread(&mut transport, &mut [0; 512]).await? {
            return Ok(());
        }
        throw_away(&mut transport, &bounds).await
    };
    tokio::select! {
        _ = timeout(bounds.total, closing) => {}
        () = draining_for(&shared.connections) => {}
    }
}

/// Ends when a drain has lasted so long that nothing more is thrown away.
pub(crate) async fn draining_for(connections: &Connections) {
    connections.wait_for(Phase::Draining).await;
    tokio::time::sleep(LINGER).await;
}

async fn throw_away(transport: &mut Transport, bounds: &Bounds) -> io::Result<()> {
    let mut left = bounds.bytes;
    if left == 0 {
        return Ok(());
    }
    let mut scratch = vec![0; SCRATCH];
    while left > 0 {
        match timeout(bounds.pause, transport.read(&mut scratch)).await {
            Ok(Ok(read @ 1..)) => left = left.saturating_sub(read as u64),
            Ok(Ok(_)) | Err(_) => break,
            Ok(Err(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Whether bytes wait to be read. The bytes that fit into `scratch` are read.
async fn has_unread(transport: &mut Transport, scratch: &mut [u8]) -> io::Result<bool> {
    let mut scratch = ReadBuf::new(scratch);
    poll_fn(|cx| match Pin::new(&mut *transport).poll_read(cx, &mut scratch) {
        Poll::Ready(read) => Poll::Ready(read.map(|()| !scratch.filled().is_empty())),
        Poll::Pending => Poll::Ready(Ok(false)),
    })
    .await
}

/// The bytes of a last HTTP/1.1 response; `is_head` says whether the request was a HEAD request.
pub(crate) fn encode_last(response: &Response<Bytes>, is_head: bool) -> Bytes {
    let asked = Asked::new(is_head, Version::HTTP_11, false);
    let (mut out, mut persistent) = (WriteBuffer::default(), false);
    let (body, size) = (response.body(), Some(response.body().len() as u64));
    let mut writer =
        write_response_head(response.status(), response.headers(), size, asked, &mut persistent, &mut out);
    // A response to HEAD has no body, so the writer refuses the data.
    let _ = writer.data(&mut out, body.clone());
    out.to_vec().into()
}
