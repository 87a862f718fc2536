//! The one queue of bytes to write.
//!
//! Invariants:
//!
//! 1. `sent` is at most the length of `copied`.
//! 2. Each entry of `kept` has a position between `sent` and the length of `copied`. The positions never decrease, so the
//!    copied bytes and the kept pieces have one order.
//! 3. No kept piece is empty, and `kept_bytes` is the sum of their lengths.
//! 4. An empty buffer has an empty `copied` and `sent` of zero, and keeps the memory for the next message.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    task::Poll,
};

use bytes::{Buf, Bytes};

/// A larger piece is kept and written from its own memory. A smaller piece is copied, so that it shares a write with its
/// head.
const COPIED: usize = 4 << 10;
/// A buffer with this many bytes is full: it is written before more is put in.
const ENOUGH: usize = 16 << 10;
/// The number of slices of one write.
const SLICES: usize = 16;
/// The number of written bytes at which they are removed from a buffer that never becomes empty.
const COMPACTED: usize = 32 << 10;

/// Bytes to write, in the order in which they were put in.
///
/// 1. Bytes are put in at the end and leave at the front, and nowhere else.
/// 2. Small pieces are copied, and large pieces are kept as they are. Both are in one order.
/// 3. However few bytes a write takes, the next write goes on with the byte after them.
#[derive(Debug, Default)]
pub struct WriteBuffer {
    copied: Vec<u8>,
    /// The number of bytes of `copied` that have been written.
    sent: usize,
    /// The pieces that were not copied, in order, each with its position: the number of bytes of `copied` before it.
    kept: VecDeque<(usize, Bytes)>,
    kept_bytes: usize,
    /// Whether bytes have been written since the last [`take_moved`](Self::take_moved).
    moved: bool,
    /// Whether bytes have been written since the last [`flushed`](Self::flushed).
    unflushed: bool,
}

impl WriteBuffer {
    /// Puts bytes in.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    /// Puts a piece in. A large piece is not copied.
    #[inline]
    pub fn push(&mut self, piece: Bytes) {
        if piece.len() <= COPIED {
            self.copied.extend_from_slice(&piece);
        } else {
            self.kept_bytes += piece.len();
            self.kept.push_back((self.copied.len(), piece));
        }
    }

    /// The end of the buffer, for encoders. Bytes put in here come after every kept piece.
    #[inline]
    pub(crate) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.copied
    }

    /// The number of bytes that have not been written.
    #[inline]
    pub fn len(&self) -> usize {
        self.copied.len() - self.sent + self.kept_bytes
    }

    /// Whether all bytes have been written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the buffer should be written before more bytes are put in.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() >= ENOUGH
    }

    /// Writes until the buffer is empty. `write` gets slices and gives the number of bytes that it has taken.
    ///
    /// # Errors
    ///
    /// The errors of `write`, and [`io::ErrorKind::WriteZero`] when `write` takes no byte.
    #[inline]
    pub fn poll_write(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let written = if self.kept.is_empty() {
                write(&[IoSlice::new(&self.copied[self.sent..])])
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES];
                let count = self.slices(&mut slices);
                write(&slices[..count])
            };
            match written {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => self.advance(written),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Collects the first slices, none of them empty, and gives their number.
    fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES]) -> usize {
        let (mut count, mut at) = (0, self.sent);
        let mut add = |slice: &'a [u8]| {
            if !slice.is_empty() && count < SLICES {
                slices[count] = IoSlice::new(slice);
                count += 1;
            }
        };
        for (behind, piece) in self.kept.iter().take(SLICES) {
            add(&self.copied[at..*behind]);
            add(piece);
            at = *behind;
        }
        add(&self.copied[at..]);
        count
    }

    /// Removes the first `written` bytes.
    fn advance(&mut self, mut written: usize) {
        self.moved = true;
        self.unflushed = true;
        while let Some((behind, piece)) = self.kept.front_mut() {
            let before = (*behind - self.sent).min(written);
            self.sent += before;
            written -= before;
            let taken = piece.len().min(written);
            piece.advance(taken);
            self.kept_bytes -= taken;
            written -= taken;
            if !piece.is_empty() {
                break;
            }
            self.kept.pop_front();
        }
        if self.kept.is_empty() {
            self.sent += written;
        }
        if self.is_empty() {
            self.copied.clear();
            self.sent = 0;
        } else if self.sent >= COMPACTED {
            self.copied.drain(..self.sent);
            for (behind, _) in &mut self.kept {
                *behind -= self.sent;
            }
            self.sent = 0;
        }
    }

    /// Whether bytes have been written since the last call or since the buffer was [cleared](Self::clear).
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// Whether bytes have been written, without a reset of the answer.
    pub fn has_moved(&self) -> bool {
        self.moved
    }

    /// Whether bytes have been written since the last [`flushed`](Self::flushed).
    pub fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// Notes that all written bytes have been flushed.
    pub fn flushed(&mut self) {
        self.unflushed = false;
    }

    /// Drops all bytes without writing them.
    pub fn clear(&mut self) {
        self.copied.clear();
        self.sent = 0;
        self.kept.clear();
        self.kept_bytes = 0;
        self.moved = false;
        self.unflushed = false;
    }

    /// Frees memory beyond this number of bytes. The buffer must be empty.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.copied.shrink_to(bytes);
    }

    /// Gives the buffer memory to copy into. The content of the memory is lost. The buffer must be empty.
    pub fn give_memory(&mut self, mut memory: Vec<u8>) {
        memory.clear();
        if self.is_empty() {
            self.copied = memory;
        }
    }

    /// Takes the memory away that small pieces are copied into. Bytes that have not been written are lost.
    pub fn take_memory(&mut self) -> Vec<u8> {
        self.clear();
        std::mem::take(&mut self.copied)
    }

    /// The unwritten bytes in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::with_capacity(self.len());
        let mut at = self.sent;
        for (behind, piece) in &self.kept {
            all.extend_from_slice(&self.copied[at..*behind]);
            all.extend_from_slice(piece);
            at = *behind;
        }
        all.extend_from_slice(&self.copied[at..]);
        all
    }
}

#[cfg(test)]
mod tests;
