//! The accepted socket, beneath TLS.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use super::activity::Activity;

/// An accepted socket. Bytes that were read to detect the protocol can be read again. A write that the socket does not
/// take is stamped here, beneath TLS, where real progress shows.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    again: Bytes,
    activity: Arc<Activity>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, activity: Arc<Activity>) -> Self {
        Self { stream, again: Bytes::new(), activity }
    }

    /// Puts bytes back, so that they are read again.
    pub(crate) fn put_back(&mut self, bytes: Bytes) {
        self.again = if self.again.is_empty() { bytes } else { [bytes, self.again.clone()].concat().into() };
    }

    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Makes the socket's close a reset, so that a cut message cannot pass for a whole one.
    pub(crate) fn reset_on_close(&self) {
        // This fails only when the socket is gone already.
        let _ = self.stream.set_zero_linger();
    }

    fn note(&self, written: &Poll<io::Result<usize>>) {
        #[cfg(test)]
        if let Poll::Ready(Ok(written)) = written {
            self.activity.written.fetch_add(*written as u64, std::sync::atomic::Ordering::SeqCst);
        }
        match written {
            Poll::Pending => self.activity.begin(&self.activity.write_blocked),
            Poll::Ready(_) => self.activity.write_resumes(),
        }
    }
}

impl AsyncRead for Socket {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.again.is_empty() {
            #[cfg(test)]
            let before = buf.filled().len();
            let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
            #[cfg(test)]
            self.activity
                .read
                .fetch_add((buf.filled().len() - before) as u64, std::sync::atomic::Ordering::SeqCst);
            return polled;
        }
        let length = self.again.len().min(buf.remaining());
        buf.put_slice(&self.again[..length]);
        self.again.advance(length);
        if self.again.is_empty() {
            self.again = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    #[inline]
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.note(&written);
        written
    }

    #[inline]
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.note(&written);
        written
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
