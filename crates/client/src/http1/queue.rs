//! Bytes on their way out.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

/// A queue that grew beyond this gives its memory back when the connection is idle.
const KEPT: usize = 8 << 10;

/// What is to be written: bytes of our own making, after them a chunk that is not copied, and what ends the chunk.
#[derive(Default)]
pub(super) struct Queue {
    pub(super) bytes: Vec<u8>,
    written: usize,
    pub(super) chunk: Bytes,
    pub(super) tail: &'static [u8],
    touched: bool,
}

impl Queue {
    /// Whether any byte has been taken since the last [`reset`](Self::reset).
    pub(super) fn is_touched(&self) -> bool {
        self.touched
    }

    /// Begins with another request.
    pub(super) fn reset(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
        self.written = 0;
        self.touched = false;
    }

    /// Writes until nothing is left.
    pub(super) fn poll_flush<W>(&mut self, cx: &mut Context<'_>, stream: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        loop {
            let bytes = &self.bytes[self.written..];
            let written = if self.chunk.is_empty() && self.tail.is_empty() {
                if bytes.is_empty() {
                    break;
                }
                ready!(Pin::new(&mut *stream).poll_write(cx, bytes))?
            } else {
                let parts = [IoSlice::new(bytes), IoSlice::new(&self.chunk), IoSlice::new(self.tail)];
                ready!(Pin::new(&mut *stream).poll_write_vectored(cx, &parts))?
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        self.bytes.clear();
        self.written = 0;
        Pin::new(stream).poll_flush(cx)
    }

    fn advance(&mut self, written: usize) {
        self.touched = true;
        let own = written.min(self.bytes.len() - self.written);
        self.written += own;
        let chunk = (written - own).min(self.chunk.len());
        self.chunk.advance(chunk);
        self.tail = &self.tail[written - own - chunk..];
        if self.chunk.is_empty() {
            // An empty slice holds on to its memory all the same.
            self.chunk = Bytes::new();
        }
    }
}
