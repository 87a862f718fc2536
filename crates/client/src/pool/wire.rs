//! What an HTTP/2 connection is carried by.

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

use super::{place::Place, streams::Streams};
use crate::stream::Stream;

/// The bytes of an HTTP/2 connection. Its place in the pool goes with it, so that a connection that serves no new
/// streams is counted until it is closed.
pub(super) struct Wire<B> {
    stream: Stream,
    streams: Arc<Streams<B>>,
    /// Told when the endpoint has said something.
    first_word: Option<oneshot::Sender<()>>,
    /// Ends when the connection is to be closed at once; `None` from then on.
    closing: Option<oneshot::Receiver<Infallible>>,
    _place: Place<B>,
}

impl<B> Wire<B> {
    pub(super) fn new(
        stream: Stream,
        streams: Arc<Streams<B>>,
        first_word: oneshot::Sender<()>,
        closing: oneshot::Receiver<Infallible>,
        place: Place<B>,
    ) -> Self {
        Self { stream, streams, first_word: Some(first_word), closing: Some(closing), _place: place }
    }

    fn is_closed(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some(closing) = &mut self.closing
            && Pin::new(closing).poll(cx).is_ready()
        {
            self.closing = None;
        }
        self.closing.is_none()
    }

    fn written(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let written = ready!(polled)?;
        self.streams.note_written(written);
        Poll::Ready(Ok(written))
    }
}

impl<B> AsyncRead for Wire<B> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_closed(cx) {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        this.streams.note_read(read);
        if read > 0
            && let Some(first_word) = this.first_word.take()
        {
            let _ = first_word.send(());
        }
        Poll::Ready(Ok(()))
    }
}

impl<B> AsyncWrite for Wire<B> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Resets that wait to be written are what the close spares the endpoint.
        if this.is_closed(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let polled = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.written(polled)
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
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.written(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl<B> Drop for Wire<B> {
    fn drop(&mut self) {
        self.streams.note_closed();
    }
}
