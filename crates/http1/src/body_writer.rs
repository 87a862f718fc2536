//! Writing a body (RFC 9112, sections 6 and 7).
//!
//! Invariants:
//!
//! 1. `framing` describes the rest of the body. `Length(left)` counts the bytes that are still to be written.
//! 2. The writer never puts more data than the head declares. Data that is too long is given back whole, and nothing of it
//!    is put.
//! 3. An empty piece of data puts nothing, because an empty chunk would end the body.
//! 4. After the end the framing is `Empty`, so no data can follow.
//! 5. Trailers follow chunks only, and only trailers that the head has announced, if the head announces any.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::{token::has_element, write_buffer::WriteBuffer};

/// How the recipient of a body finds its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// There is no body.
    Empty,
    /// The body ends after this number of bytes.
    Length(u64),
    /// The last chunk ends the body.
    Chunked,
    /// The end of the connection ends the body.
    UntilClose,
}

/// Writes one body with its framing.
#[derive(Debug)]
pub struct BodyWriter {
    framing: Framing,
    /// The values of `Trailer`, if only the trailers that they announce may be sent.
    announced: Option<Vec<HeaderValue>>,
}

/// The body does not have the length that its head declares.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WrongLength {
    /// There is more data than the head declares. None of the data was written.
    #[error("the body is longer than its Content-Length")]
    TooLong {
        /// The number of bytes that the head still allows.
        left: u64,
        /// The data.
        data: Bytes,
    },
    /// There is less data than the head declares.
    #[error("the body is shorter than its Content-Length")]
    TooShort,
}

impl BodyWriter {
    /// A writer at the start of a body that may have any trailers.
    pub fn new(framing: Framing) -> Self {
        Self { framing, announced: None }
    }

    /// A writer that sends only the trailers that these values of `Trailer` announce.
    pub(crate) fn announcing(framing: Framing, announced: Vec<HeaderValue>) -> Self {
        Self { framing, announced: Some(announced) }
    }

    /// How the recipient finds the end of the rest.
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether no more data can follow.
    pub fn is_complete(&self) -> bool {
        matches!(self.framing, Framing::Empty | Framing::Length(0))
    }

    /// Puts data into the buffer.
    ///
    /// # Errors
    ///
    /// When there is more data than the head declares. Nothing is put in then.
    #[inline]
    pub fn data(&mut self, out: &mut WriteBuffer, data: Bytes) -> Result<(), WrongLength> {
        // An empty chunk would be the last one.
        if data.is_empty() {
            return Ok(());
        }
        match &mut self.framing {
            Framing::UntilClose => out.push(data),
            Framing::Length(left) if *left >= data.len() as u64 => {
                *left -= data.len() as u64;
                out.push(data);
            }
            Framing::Length(left) => return Err(WrongLength::TooLong { left: *left, data }),
            Framing::Empty => return Err(WrongLength::TooLong { left: 0, data }),
            Framing::Chunked => {
                put_chunk_size(out.end(), data.len());
                out.push(data);
                out.put(b"\r\n");
            }
        }
        Ok(())
    }

    /// Puts the end of the body into the buffer. Only a chunked body can have trailers.
    ///
    /// # Errors
    ///
    /// When there was less data than the head declares.
    pub fn end(&mut self, out: &mut WriteBuffer, trailers: Option<&HeaderMap>) -> Result<(), WrongLength> {
        match self.framing {
            Framing::Length(1..) => return Err(WrongLength::TooShort),
            Framing::Chunked => {
                out.put(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten() {
                    if self.may_trail(name) {
                        put_field(out.end(), name, value);
                    }
                }
                out.put(b"\r\n");
            }
            Framing::Empty | Framing::Length(_) | Framing::UntilClose => {}
        }
        self.framing = Framing::Empty;
        Ok(())
    }

    fn may_trail(&self, name: &HeaderName) -> bool {
        self.announced.as_ref().is_none_or(|announced| {
            announced.iter().any(|names| has_element(names.as_bytes(), name.as_str().as_bytes()))
        })
    }
}

/// Puts a field line.
#[inline]
pub(crate) fn put_field(out: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    let (name, value) = (name.as_str().as_bytes(), value.as_bytes());
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Puts a `Content-Length` line.
pub(crate) fn put_length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn put_chunk_size(out: &mut Vec<u8>, size: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = (usize::BITS - size.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(DIGITS[size >> (digit * 4) & 0xf]);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_held_to_its_length() {
        let (mut writer, mut out) = (BodyWriter::new(Framing::Length(3)), WriteBuffer::default());
        assert_eq!(writer.data(&mut out, Bytes::from_static(b"ab")), Ok(()));
        assert_eq!(writer.end(&mut out, None), Err(WrongLength::TooShort));
        let data = Bytes::from_static(b"cd");
        let too_long = WrongLength::TooLong { left: 1, data: data.clone() };
        assert_eq!(writer.data(&mut out, data), Err(too_long));
        assert_eq!(writer.data(&mut out, Bytes::from_static(b"c")), Ok(()));
        assert_eq!(out.to_vec(), b"abc");
        assert!(writer.is_complete());
        assert_eq!(writer.end(&mut out, None), Ok(()));
    }

    #[test]
    fn chunks_end_with_the_trailers_that_may_be_sent() {
        let mut trailers = HeaderMap::new();
        for name in ["x-sum", "x-other"] {
            trailers.insert(name, HeaderValue::from_static("1"));
        }
        let written = |mut writer: BodyWriter| {
            let mut out = WriteBuffer::default();
            for data in ["", "0123456789abcdef0"] {
                writer.data(&mut out, data.into()).expect("it has no length");
            }
            writer.end(&mut out, Some(&trailers)).expect("it has no length");
            String::from_utf8(out.to_vec()).expect("text")
        };
        let announced = vec![HeaderValue::from_static("a, X-Sum")];
        let only = written(BodyWriter::announcing(Framing::Chunked, announced));
        assert_eq!(only, "11\r\n0123456789abcdef0\r\n0\r\nx-sum: 1\r\n\r\n");
        let none = written(BodyWriter::announcing(Framing::Chunked, vec![]));
        assert_eq!(none, "11\r\n0123456789abcdef0\r\n0\r\n\r\n");
        let all = written(BodyWriter::new(Framing::Chunked));
        assert_eq!(all, "11\r\n0123456789abcdef0\r\n0\r\nx-sum: 1\r\nx-other: 1\r\n\r\n");
        assert_eq!(written(BodyWriter::new(Framing::UntilClose)), "0123456789abcdef0");
    }

    #[test]
    fn a_field_line_is_given_its_room_at_once() {
        for (name, value, expected) in [("x", "", "x: \r\n"), ("x-longer", "a value", "x-longer: a value\r\n")]
        {
            let (name, value) = (HeaderName::from_static(name), HeaderValue::from_static(value));
            let mut out = Vec::new();
            put_field(&mut out, &name, &value);
            assert_eq!(out, expected.as_bytes());
            assert_eq!(out.capacity(), expected.len().max(8), "a vector has eight bytes at least");
        }
    }

    #[test]
    fn the_size_of_a_chunk_is_hexadecimal() {
        for (size, expected) in [
            (1, "1\r\n"),
            (15, "f\r\n"),
            (16, "10\r\n"),
            (65_536, "10000\r\n"),
            (0x0123_4567_89ab_cdef, "123456789abcdef\r\n"),
            (usize::MAX, "ffffffffffffffff\r\n"),
        ] {
            let mut out = Vec::new();
            put_chunk_size(&mut out, size);
            assert_eq!(out, expected.as_bytes());
        }
    }
}
