//! The bytes of an HTTP/2 connection.
//!
//! When a write fails, the endpoint may have sent something before that is still to be read. Its GOAWAY matters most: it
//! tells which requests the endpoint has not processed. So the connection is read to its end, and bytes that are written
//! meanwhile are dropped.

use std::{
    convert::Infallible,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

use super::{connection_permit::ConnectionPermit, streams::Streams};
use crate::stream::Stream;

/// The bytes of an HTTP/2 connection. It holds the connection's permit, so that a connection that serves no new streams is
/// counted until it is closed.
pub(super) struct Transport<B> {
    stream: Stream,
    streams: Arc<Streams<B>>,
    /// Gets the protocol of the first bytes that the endpoint sends.
    preface: Option<oneshot::Sender<ServerPreface>>,
    /// Ends when the connection is to be closed at once. `None` from then on.
    closing: Option<oneshot::Receiver<Infallible>>,
    /// The error after which nothing can be written.
    broken: Option<io::Error>,
    _permit: ConnectionPermit<B>,
}

/// The protocol that an endpoint begins to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerPreface {
    /// HTTP/2, as far as the first bytes can tell.
    Http2,
    Http1,
    Tls,
    Other,
}

impl ServerPreface {
    /// HTTP/2 begins with SETTINGS (RFC 9113, section 3.4), whose frame has its type at the fourth byte. A frame that began
    /// with the letters of a status line would be of 4.7 MB.
    fn of(bytes: &[u8]) -> Self {
        let begins_as = |start: &[u8]| bytes.iter().zip(start).all(|(byte, start)| byte == start);
        match bytes {
            _ if begins_as(b"HTTP/1.") => Self::Http1,
            [0x15, 3, ..] => Self::Tls,
            [_, _, _, kind, ..] if *kind != 4 => Self::Other,
            _ => Self::Http2,
        }
    }

    /// The fault, where HTTP/2 is expected.
    pub(super) fn fault(self) -> Option<&'static str> {
        match self {
            Self::Http2 => None,
            Self::Http1 => Some("the endpoint speaks HTTP/1 and not HTTP/2 (protocol: http2)"),
            Self::Tls => Some("the endpoint speaks TLS (tls: on)"),
            Self::Other => Some("the endpoint does not speak HTTP/2 (protocol: http2)"),
        }
    }
}

impl<B> Transport<B> {
    pub(super) fn new(
        stream: Stream,
        streams: Arc<Streams<B>>,
        preface: oneshot::Sender<ServerPreface>,
        closing: oneshot::Receiver<Infallible>,
        permit: ConnectionPermit<B>,
    ) -> Self {
        Self { stream, streams, preface: Some(preface), closing: Some(closing), broken: None, _permit: permit }
    }

    fn is_closed(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(closing) = &mut self.closing
            && Pin::new(closing).poll(cx).is_ready()
        {
            self.closing = None;
        }
        self.closing.is_none()
    }

    /// Counts the bytes that have left. After a failure, only reading goes on.
    fn written(
        &mut self,
        cx: &Context<'_>,
        polled: Poll<io::Result<usize>>,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(match ready!(polled) {
            Ok(written) => {
                self.streams.note_written(written);
                Ok(written)
            }
            Err(error) => {
                self.broken = Some(error);
                cx.waker().wake_by_ref();
                Ok(length)
            }
        })
    }
}

impl<B> AsyncRead for Transport<B> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_closed(cx) {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        if polled.is_pending()
            && let Some(error) = this.broken.take()
        {
            // Nothing is left to read.
            this.closing = None;
            return Poll::Ready(Err(error));
        }
        ready!(polled)?;
        let read = &buf.filled()[before..];
        this.streams.note_read(read.len());
        if !read.is_empty()
            && let Some(preface) = this.preface.take()
        {
            let _ = preface.send(ServerPreface::of(read));
        }
        Poll::Ready(Ok(()))
    }
}

impl<B> AsyncWrite for Transport<B> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Resets that wait to be written need not leave, since the connection is closed.
        if this.is_closed(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if this.broken.is_some() {
            return Poll::Ready(Ok(buf.len()));
        }
        let polled = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.written(cx, polled, buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_closed(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if this.broken.is_some() {
            return Poll::Ready(Ok(length));
        }
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.written(cx, polled, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.broken.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<B> Drop for Transport<B> {
    fn drop(&mut self) {
        self.streams.note_closed();
    }
}
