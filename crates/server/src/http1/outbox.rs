//! What waits to be written.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;

/// A larger piece is written from where it lies; a smaller one is copied, so that it shares a write with its head.
const COPIED: usize = 4 * 1024;
/// No more is gathered before it is written.
const ENOUGH: usize = 16 * 1024;

/// Bytes to be written: those in the buffer, then one large piece, then what ends it.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) buffer: Vec<u8>,
    large: Bytes,
    tail: &'static [u8],
    sent: usize,
    unflushed: bool,
    moved: bool,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.large.is_empty()
    }

    /// Whether it must be written before there is room for more.
    pub(super) fn is_full(&self) -> bool {
        !self.large.is_empty() || self.buffer.len() >= ENOUGH
    }

    /// Adds a piece and what ends it. The outbox is not full.
    pub(super) fn push(&mut self, piece: Bytes, tail: &'static [u8]) {
        debug_assert!(!self.is_full(), "there is no room");
        if piece.len() <= COPIED {
            self.buffer.extend_from_slice(&piece);
            self.buffer.extend_from_slice(tail);
        } else {
            self.large = piece;
            self.tail = tail;
        }
    }

    /// Writes all of it.
    pub(super) fn poll_write<W>(&mut self, writer: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        while !self.is_empty() {
            let written = match self.large.is_empty() {
                true => ready!(Pin::new(&mut *writer).poll_write(cx, &self.buffer[self.sent..]))?,
                false => ready!(self.poll_write_large(writer, cx))?,
            };
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
            self.unflushed = true;
            self.moved = true;
        }
        if self.unflushed {
            ready!(Pin::new(writer).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether something was written since this was last asked.
    pub(super) fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    fn poll_write_large<W>(&self, writer: &mut W, cx: &mut Context<'_>) -> Poll<io::Result<usize>>
    where
        W: AsyncWrite + Unpin,
    {
        let mut slices = [&self.buffer[..], &self.large[..], self.tail].map(IoSlice::new);
        let mut slices = &mut slices[..];
        IoSlice::advance_slices(&mut slices, self.sent);
        if writer.is_write_vectored() {
            Pin::new(writer).poll_write_vectored(cx, slices)
        } else {
            let first = slices.iter().find(|slice| !slice.is_empty());
            Pin::new(writer).poll_write(cx, first.map_or(&[], |slice| slice))
        }
    }

    fn advance(&mut self, written: usize) {
        self.sent += written;
        if self.sent == self.buffer.len() + self.large.len() + self.tail.len() {
            self.buffer.clear();
            self.large = Bytes::new();
            self.tail = &[];
            self.sent = 0;
        }
    }
}
