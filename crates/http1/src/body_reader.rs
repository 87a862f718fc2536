//! Reading a body (RFC 9112, section 6.3).
//!
//! Invariants:
//!
//! 1. The state only moves forward: from `Length`, `Chunks` or `UntilClose` to `Ended`, with `Trailers` after `Chunks`.
//! 2. A reader takes no byte after the end of its body: the next byte in the buffer belongs to the next message.
//! 3. `Length` is never zero, and a piece of data is never empty.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use crate::{
    chunked::{Chunks, Decoded},
    field,
    rules::Rules,
    section::Trailers,
    violation::Violation,
};

/// How to find the end of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyLength {
    /// There is no body.
    None,
    /// The body ends after this number of bytes, which is not zero.
    Known(u64),
    /// The last chunk ends the body.
    Chunked,
    /// The end of the connection ends the body.
    UntilClose,
}

impl BodyLength {
    pub(crate) fn known(length: u64) -> Self {
        if length == 0 { Self::None } else { Self::Known(length) }
    }

    /// Whether there is no body.
    pub fn is_none(self) -> bool {
        self == Self::None
    }
}

/// Reads one body.
#[derive(Debug)]
pub struct BodyReader(State);

#[derive(Debug)]
enum State {
    Length(u64),
    Chunks(Chunks),
    /// `None` until a trailer section that is not empty has begun.
    Trailers(Option<Box<Trailers>>),
    UntilClose,
    Ended,
}

/// The next piece of a body.
#[derive(Debug, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "who reads a body has to do with every kind of piece")]
pub enum Piece {
    /// Data; never empty.
    Data(Bytes),
    /// The end, with trailers.
    Trailers(HeaderMap),
    /// The end.
    End,
    /// More bytes are needed: at least this number, or zero if the number is not known.
    More(u64),
}

impl BodyReader {
    /// A reader at the start of a body.
    #[inline]
    pub fn new(length: BodyLength) -> Self {
        Self(match length {
            BodyLength::None => State::Ended,
            BodyLength::Known(length) => State::Length(length),
            BodyLength::Chunked => State::Chunks(Chunks::new()),
            BodyLength::UntilClose => State::UntilClose,
        })
    }

    /// Takes the next piece out of the `received` bytes. The data of small chunks is moved together.
    ///
    /// # Errors
    ///
    /// When the body breaks a rule. The reader must not be called again.
    pub fn next(&mut self, received: &mut BytesMut, rules: &Rules) -> Result<Piece, Violation> {
        loop {
            match &mut self.0 {
                State::Length(left) if received.is_empty() => return Ok(Piece::More(*left)),
                State::Length(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(received.len());
                    *left -= taken as u64;
                    if *left == 0 {
                        self.0 = State::Ended;
                    }
                    return Ok(Piece::Data(received.split_to(taken).freeze()));
                }
                State::Chunks(chunks) if received.is_empty() => return Ok(Piece::More(chunks.left())),
                State::Chunks(chunks) => {
                    let Decoded { before, data, used } = chunks.decode(received, rules)?;
                    if chunks.is_done() {
                        self.0 = State::Trailers(None);
                    }
                    received.advance(before);
                    if data > 0 {
                        let data = received.split_to(data).freeze();
                        received.advance(used - before - data.len());
                        self.pass_plain_end(received);
                        return Ok(Piece::Data(data));
                    }
                }
                State::Trailers(None) if received.starts_with(b"\r\n") => {
                    received.advance(2);
                    self.0 = State::Ended;
                }
                State::Trailers(None) if b"\r\n".starts_with(received) => {
                    return Ok(Piece::More(0));
                }
                State::Trailers(trailers) => {
                    let trailers = trailers.get_or_insert_default();
                    let Some((length, fields)) = trailers.advance(received, rules)? else {
                        return Ok(Piece::More(0));
                    };
                    let section = received.split_to(length).freeze();
                    self.0 = State::Ended;
                    if fields.is_empty() {
                        return Ok(Piece::End);
                    }
                    let mut map = HeaderMap::new();
                    field::collect(&section, &fields, &mut map)?;
                    return Ok(Piece::Trailers(map));
                }
                State::UntilClose if received.is_empty() => return Ok(Piece::More(u64::MAX)),
                State::UntilClose => return Ok(Piece::Data(received.split().freeze())),
                State::Ended => return Ok(Piece::End),
            }
        }
    }

    /// Takes an end without trailers that has arrived together with the last data, so that the end is known with the data.
    fn pass_plain_end(&mut self, received: &mut BytesMut) {
        if let State::Trailers(_) = self.0
            && received.starts_with(b"\r\n")
        {
            received.advance(2);
            self.0 = State::Ended;
        }
    }

    /// Notes that the connection has ended. True if the body is complete.
    pub fn close(&mut self) -> bool {
        if let State::UntilClose = self.0 {
            self.0 = State::Ended;
        }
        self.is_ended()
    }

    /// Whether the whole body has been taken. No byte after the body is touched.
    pub fn is_ended(&self) -> bool {
        matches!(self.0, State::Ended)
    }

    /// Whether data may follow. False if only trailers or the end can follow.
    pub fn has_more_data(&self) -> bool {
        match &self.0 {
            State::Length(_) | State::UntilClose | State::Chunks(_) => true,
            State::Trailers(_) | State::Ended => false,
        }
    }

    /// The number of bytes of data that are left, if it is known.
    pub fn left(&self) -> Option<u64> {
        match self.0 {
            State::Length(left) => Some(left),
            State::Ended => Some(0),
            _ => None,
        }
    }
}
