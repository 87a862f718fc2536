//! The one queue of what is to be written.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    task::Poll,
};

use bytes::{Buf, Bytes};

/// A larger piece is written from where it lies; a smaller one is copied, so that it shares a write with its head.
const COPIED: usize = 4 << 10;
/// No more is gathered before it is written.
const ENOUGH: usize = 16 << 10;
/// So many slices are written at once.
const SLICES: usize = 16;
/// Bytes that have left are taken out of a queue that never becomes empty, when there are so many of them.
const COMPACTED: usize = 32 << 10;

/// Bytes on their way out, in the order in which they were put in.
///
/// 1. Bytes are put in at the end and leave at the front. Nothing puts bytes anywhere else.
/// 2. Small pieces are copied, large ones are kept as they are; both stand in one order.
/// 3. However few bytes a write takes, the next one goes on with the byte after them.
#[derive(Debug, Default)]
pub struct WriteBuffer {
    copied: Vec<u8>,
    /// How many bytes of `copied` have left.
    sent: usize,
    /// Pieces that were not copied, in order. Each stands behind so many bytes of `copied`.
    kept: VecDeque<(usize, Bytes)>,
    kept_bytes: usize,
    moved: bool,
    unflushed: bool,
}

impl WriteBuffer {
    /// Puts bytes in.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) {
        self.copied.extend_from_slice(bytes);
    }

    /// Puts a piece in, without copying it when it is large.
    #[inline]
    pub fn push(&mut self, piece: Bytes) {
        if piece.len() <= COPIED {
            self.copied.extend_from_slice(&piece);
        } else {
            self.kept_bytes += piece.len();
            self.kept.push_back((self.copied.len(), piece));
        }
    }

    /// The end of the queue, to put bytes in by whoever encodes them. They are behind every piece that is kept.
    #[inline]
    pub(crate) fn end(&mut self) -> &mut Vec<u8> {
        &mut self.copied
    }

    /// How many bytes have not left.
    #[inline]
    pub fn len(&self) -> usize {
        self.copied.len() - self.sent + self.kept_bytes
    }

    /// Whether all bytes have left.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether there is enough in it to be written before more is put in.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.len() >= ENOUGH
    }

    /// Writes until the queue is empty. `write` takes slices and says how many bytes of them it has taken.
    ///
    /// # Errors
    ///
    /// Those of `write`; [`io::ErrorKind::WriteZero`] when it takes nothing.
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

    /// The first slices, none of them empty. Says how many there are.
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

    /// Takes out the first `written` bytes, which have left.
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

    /// Whether something has left since the queue was [cleared](Self::clear) or this was last asked.
    pub fn take_moved(&mut self) -> bool {
        std::mem::take(&mut self.moved)
    }

    /// The same, without forgetting it.
    pub fn has_moved(&self) -> bool {
        self.moved
    }

    /// Whether something has left that [`flushed`](Self::flushed) does not know of.
    pub fn is_unflushed(&self) -> bool {
        self.unflushed
    }

    /// Notes that everything that has left was flushed.
    pub fn flushed(&mut self) {
        self.unflushed = false;
    }

    /// Takes out all bytes, unwritten.
    pub fn clear(&mut self) {
        self.copied.clear();
        self.sent = 0;
        self.kept.clear();
        self.kept_bytes = 0;
        self.moved = false;
        self.unflushed = false;
    }

    /// Gives back memory beyond so many bytes. The queue is empty.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.copied.shrink_to(bytes);
    }

    /// Gives the queue memory to copy into; what is in it is overwritten. The queue is empty.
    pub fn give_memory(&mut self, mut memory: Vec<u8>) {
        memory.clear();
        if self.is_empty() {
            self.copied = memory;
        }
    }

    /// Takes the memory away that is copied into. The queue is empty, or what is in it is lost.
    pub fn take_memory(&mut self) -> Vec<u8> {
        self.clear();
        std::mem::take(&mut self.copied)
    }

    /// What has not left, in one piece.
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
