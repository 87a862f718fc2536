//! A chunked body up to its trailers (RFC 9112, section 7.1).

use super::{scan::find_control, violation::Violation};

/// The longest size line, extensions included, its CRLF not.
const MAX_LINE: u16 = 1024;
/// Sixteen hexadecimal digits are 64 bits.
const MAX_DIGITS: u8 = 16;

/// Where in the chunks the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chunks {
    Size {
        digits: u8,
        size: u64,
    },
    Extension {
        length: u16,
        size: u64,
    },
    SizeLf {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataLf,
    /// The last chunk has passed; the trailer section begins.
    Done,
}

/// What the next bytes of the chunks are, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// Sizes, extensions, line ends.
    Framing(usize),
    Data(usize),
}

impl Chunks {
    pub(super) const START: Self = Self::Size { digits: 0, size: 0 };

    /// Goes on with `bytes`, which are new each time and not empty, and tells what they begin with.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<Piece, Violation> {
        if let Self::Data { .. } = self {
            return self.step(bytes).map(Piece::Data);
        }
        let mut at = 0;
        while at < bytes.len() && !matches!(self, Self::Data { .. } | Self::Done) {
            at += self.step(&bytes[at..])?;
        }
        Ok(Piece::Framing(at))
    }

    /// Takes at least one byte of `bytes`, which are not empty.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let byte = bytes[0];
        *self = match *self {
            Self::Size { digits, size } => match (char::from(byte).to_digit(16), byte) {
                (Some(_), _) if digits == MAX_DIGITS => return Err(Violation::CHUNK_LINE_TOO_LONG),
                (Some(digit), _) => Self::Size { digits: digits + 1, size: size << 4 | u64::from(digit) },
                (None, b'\r') if digits > 0 => Self::SizeLf { size },
                (None, b';') if digits > 0 => Self::Extension { length: 0, size },
                _ => return Err(Violation::CHUNK_SIZE),
            },
            Self::Extension { length, size } => return self.extension(bytes, length, size),
            Self::SizeLf { size } => match byte {
                b'\n' if size == 0 => Self::Done,
                b'\n' if i64::try_from(size).is_ok() => Self::Data { left: size },
                _ => return Err(Violation::CHUNK_SIZE),
            },
            Self::Data { left } => {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                let left = left - taken as u64;
                *self = if left == 0 { Self::DataCr } else { Self::Data { left } };
                return Ok(taken);
            }
            Self::DataCr if byte == b'\r' => Self::DataLf,
            Self::DataLf if byte == b'\n' => Self::START,
            Self::DataCr | Self::DataLf => return Err(Violation::CHUNK_END),
            Self::Done => Self::Done,
        };
        Ok(1)
    }

    /// An extension is skipped, whatever it says; it must be text all the same.
    fn extension(&mut self, bytes: &[u8], length: u16, size: u64) -> Result<usize, Violation> {
        let text = find_control(bytes).unwrap_or(bytes.len());
        if !bytes[..text].is_ascii() {
            return Err(Violation::CHUNK_EXTENSION);
        }
        let length = usize::from(length) + text;
        let length = u16::try_from(length)
            .ok()
            .filter(|length| *length <= MAX_LINE)
            .ok_or(Violation::CHUNK_LINE_TOO_LONG)?;
        let (next, taken) = match bytes.get(text) {
            None => (Self::Extension { length, size }, text),
            Some(b'\r') => (Self::SizeLf { size }, text + 1),
            Some(b'\t') => (Self::Extension { length, size }, text + 1),
            Some(_) => return Err(Violation::CHUNK_EXTENSION),
        };
        *self = next;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Result<usize, Violation> {
        let mut chunks = Chunks::START;
        let mut at = 0;
        while at < bytes.len() && chunks != Chunks::Done {
            match chunks.advance(&bytes[at..])? {
                Piece::Framing(taken) | Piece::Data(taken) => at += taken,
            }
        }
        assert_eq!(chunks, Chunks::Done, "after {at}");
        Ok(at)
    }

    #[test]
    fn chunks_end_with_the_last_one() {
        assert_eq!(whole(b"0\r\n\r\n"), Ok(3));
        assert_eq!(whole(b"5\r\nhello\r\n00;a=\"b\"\r\nx"), Ok(20));
        assert_eq!(whole(b"1;\ta\r\nx\r\n0\r\n"), Ok(12));
    }

    #[test]
    fn a_malformed_chunk_is_found_where_it_stands() {
        for (bytes, expected) in [
            (&b"\r\n"[..], Violation::CHUNK_SIZE),
            (b"x\r\n", Violation::CHUNK_SIZE),
            (b"0x5\r\n", Violation::CHUNK_SIZE),
            (b"+5\r\n", Violation::CHUNK_SIZE),
            (b"-1\r\n", Violation::CHUNK_SIZE),
            (b" 5\r\n", Violation::CHUNK_SIZE),
            (b"5 \r\n", Violation::CHUNK_SIZE),
            (b"5_0\r\n", Violation::CHUNK_SIZE),
            (b"5\n", Violation::CHUNK_SIZE),
            (b"5\rx", Violation::CHUNK_SIZE),
            (b";a\r\n", Violation::CHUNK_SIZE),
            (b"8000000000000000\r\n", Violation::CHUNK_SIZE),
            (b"00000000000000005\r\n", Violation::CHUNK_LINE_TOO_LONG),
            (b"5;a\nhello\r\n", Violation::CHUNK_EXTENSION),
            (b"5;a\0\r\n", Violation::CHUNK_EXTENSION),
            (b"5;\xff\r\n", Violation::CHUNK_EXTENSION),
            (b"5;a\rx", Violation::CHUNK_SIZE),
            (b"5\r\nhelloX", Violation::CHUNK_END),
            (b"5\r\nhello\n", Violation::CHUNK_END),
            (b"5\r\nhello\rX", Violation::CHUNK_END),
        ] {
            assert_eq!(whole(bytes), Err(expected), "{:?}", String::from_utf8_lossy(bytes));
        }
        let long = [b"5;", &[b'a'; 1025][..], b"\r\n"].concat();
        assert_eq!(whole(&long), Err(Violation::CHUNK_LINE_TOO_LONG));
    }
}
