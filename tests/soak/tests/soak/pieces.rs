//! How a message is cut: into chunks by its sender, and into writes on its way.

use std::{io, ops::Range, time::Duration};

use fastrand::Rng;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The sizes of a body's chunks, or of its DATA frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// One for all.
    One,
    /// All of this size, but the last.
    Even(usize),
    /// Up to this size.
    Random(usize),
}

/// Sizes around which buffers are cut.
const EDGES: [usize; 4] = [4096, 8192, 16384, 65536];

/// No message is cut into more parts than about so many.
const MOST: usize = 300;

impl Chunks {
    /// Some way to cut a body of this length.
    pub(crate) fn random(rng: &mut Rng, length: usize) -> Self {
        match rng.u32(..10) {
            0..3 => Self::One,
            3 if length <= MOST => Self::Even(1),
            4..8 => Self::Even(EDGES[rng.usize(..EDGES.len())] + rng.usize(..3) - 1),
            _ => Self::Random(rng.usize(length / MOST..length.max(1)) + 1),
        }
    }

    /// The size of the next chunk, when `left` bytes are left, one at least.
    pub(crate) fn next(self, rng: &mut Rng, left: usize) -> usize {
        match self {
            Self::One => left,
            Self::Even(size) => size.min(left),
            Self::Random(most) => rng.usize(1..=most).min(left),
        }
    }

    /// The body in chunks, without the last one and what follows it.
    pub(crate) fn encode(self, rng: &mut Rng, mut body: &[u8], out: &mut Vec<u8>) {
        while !body.is_empty() {
            let (chunk, rest) = body.split_at(self.next(rng, body.len()));
            let size =
                if rng.bool() { format!("{:x}\r\n", chunk.len()) } else { format!("{:X}\r\n", chunk.len()) };
            out.extend_from_slice(size.as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
            body = rest;
        }
    }
}

/// How a message is cut into writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pieces {
    cut: Cut,
    pause: Pause,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    Whole,
    /// The head apart from what follows it.
    AfterHead,
    /// What ends the message apart from what comes before it.
    BeforeEnd,
    Even(usize),
    Random,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pause {
    None,
    Yield,
    /// Milliseconds, before a few of the writes.
    Sleep(u64),
}

/// A message as bytes.
#[derive(Debug, Default)]
pub(crate) struct Message {
    pub(crate) bytes: Vec<u8>,
    /// Where its head ends.
    pub(crate) head: usize,
    /// Where its last chunk begins, or its last byte.
    pub(crate) end: usize,
}

impl Pieces {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let cut = match rng.u32(..10) {
            0..4 => Cut::Whole,
            4 => Cut::AfterHead,
            5 => Cut::BeforeEnd,
            6 => Cut::Even(rng.usize(1..100)),
            7 => Cut::Even(EDGES[rng.usize(..EDGES.len())] + rng.usize(..3) - 1),
            _ => Cut::Random,
        };
        let pause = match rng.u32(..10) {
            0..5 => Pause::None,
            5..9 => Pause::Yield,
            _ => Pause::Sleep(rng.u64(1..8)),
        };
        Self { cut, pause }
    }

    /// Writes this part of a message in pieces.
    pub(crate) async fn write<W>(
        self,
        to: &mut W,
        message: &Message,
        part: Range<usize>,
        rng: &mut Rng,
    ) -> io::Result<()>
    where
        W: AsyncWrite + Unpin,
    {
        let mut at = part.start;
        while at < part.end {
            let length = match self.cut {
                Cut::Whole => part.len(),
                Cut::AfterHead if at < message.head => message.head - at,
                Cut::BeforeEnd if at < message.end => message.end - at,
                Cut::AfterHead | Cut::BeforeEnd => part.len(),
                Cut::Even(size) => size.max(part.len() / MOST),
                Cut::Random => rng.usize(1..part.len() * 2 / 3 + 2),
            };
            let next = part.end.min(at + length);
            to.write_all(&message.bytes[at..next]).await?;
            // TLS holds back what the socket does not take at once.
            to.flush().await?;
            at = next;
            match self.pause {
                Pause::None => {}
                Pause::Yield => tokio::task::yield_now().await,
                Pause::Sleep(most) if rng.u32(..8) == 0 => {
                    tokio::time::sleep(Duration::from_millis(rng.u64(..=most))).await;
                }
                Pause::Sleep(_) => {}
            }
        }
        Ok(())
    }
}
