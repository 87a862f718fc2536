use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::budget::{BufferBudget, Reservation};

/// A whole request body that is held in memory. Its bytes count towards a [`BufferBudget`] until it is dropped.
#[derive(Debug)]
pub struct BufferedBody {
    data: Bytes,
    trailers: Option<HeaderMap>,
    reservation: Reservation,
}

impl BufferedBody {
    /// All bytes of the body.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// The trailers, when there were any.
    pub fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    pub(super) fn into_parts(self) -> (Bytes, Option<HeaderMap>, Reservation) {
        (self.data, self.trailers, self.reservation)
    }
}

/// A body that is being read.
#[derive(Debug)]
pub(super) struct Buffering {
    chunks: Vec<Bytes>,
    length: u64,
    trailers: Option<HeaderMap>,
    reservation: Reservation,
    cap: u64,
}

/// Why a body cannot be held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    TooLarge,
    NoRoom,
}

impl Buffering {
    pub(super) fn new(budget: &BufferBudget, cap: u64) -> Self {
        let reservation = budget.reserve();
        Self { chunks: Vec::new(), length: 0, trailers: None, reservation, cap }
    }

    pub(super) fn push(&mut self, chunk: Bytes) -> Result<(), Refused> {
        let length = chunk.len() as u64;
        if self.length + length > self.cap {
            return Err(Refused::TooLarge);
        }
        if !self.reservation.grow(length) {
            return Err(Refused::NoRoom);
        }
        self.length += length;
        if !chunk.is_empty() {
            self.chunks.push(chunk);
        }
        Ok(())
    }

    pub(super) fn trailers(&mut self, trailers: HeaderMap) {
        match &mut self.trailers {
            Some(before) => before.extend(trailers),
            none => *none = Some(trailers),
        }
    }

    /// The whole body, in one piece. A body of one chunk is not copied.
    pub(super) fn finish(mut self) -> BufferedBody {
        let data = match &mut *self.chunks {
            [] => Bytes::new(),
            [only] => std::mem::take(only),
            several => {
                let mut whole = BytesMut::with_capacity(several.iter().map(Bytes::len).sum());
                several.iter().for_each(|chunk| whole.extend_from_slice(chunk));
                whole.freeze()
            }
        };
        BufferedBody { data, trailers: self.trailers, reservation: self.reservation }
    }
}
