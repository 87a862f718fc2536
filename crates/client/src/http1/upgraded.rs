//! A connection after a 101.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::stream::Stream;

/// The bare stream of a connection that changed protocols. It keeps its permit of the pool.
pub(super) struct Tunnel<P> {
    pub(super) stream: Stream,
    pub(super) _permit: Option<P>,
}

impl<P: Unpin> AsyncRead for Tunnel<P> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<P: Unpin> AsyncWrite for Tunnel<P> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, BufStream};

    use super::*;

    #[tokio::test]
    async fn bytes_go_both_ways_and_leave_when_they_are_flushed() {
        let (near, mut far) = tokio::io::duplex(1024);
        let permit = Arc::new(());
        let stream = Stream::Other(Box::new(BufStream::new(near)));
        let mut tunnel = Tunnel { stream, _permit: Some(Arc::clone(&permit)) };
        let pieces = [&b"one, "[..], b"two, ", b"three"];
        for piece in pieces {
            tunnel.write_all(piece).await.expect("is open");
        }
        tunnel.flush().await.expect("is open");
        let mut received = [0; 15];
        far.read_exact(&mut received).await.expect("is there");
        assert_eq!(&received, b"one, two, three");
        // All at once.
        let written = tunnel.write_vectored(&pieces.map(IoSlice::new)).await.expect("is open");
        assert_eq!(written, 15);
        tunnel.flush().await.expect("is open");
        far.read_exact(&mut received).await.expect("is there");
        assert_eq!(&received, b"one, two, three");
        far.write_all(b"back").await.expect("is open");
        let mut back = [0; 4];
        tunnel.read_exact(&mut back).await.expect("is there");
        assert_eq!(&back, b"back");
        tunnel.shutdown().await.expect("is open");
        assert_eq!(far.read(&mut received).await.expect("is closed"), 0);
        assert_eq!(Arc::strong_count(&permit), 2, "it keeps its permit until it is dropped");
        drop(tunnel);
        assert_eq!(Arc::strong_count(&permit), 1);
    }
}
