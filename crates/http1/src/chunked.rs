//! A chunked body up to its trailers (RFC 9112, section 7.1).
//!
//! Chunks are small or large as their sender likes. The data of small ones is moved together, within the memory that it
//! was received in, so that a body in chunks of one byte does not cost its readers a frame a byte.

use crate::{rules::Rules, token::is_token, violation::Violation};

/// The longest size line, extensions included, its CRLF not.
const MAX_LINE: u16 = 1024;
/// Sixteen hexadecimal digits are 64 bits.
const MAX_DIGITS: u8 = 16;
/// Larger pieces are not moved.
const MOVED: usize = 512;

/// Where in the chunks the next byte stands, and how many bytes of extensions have passed.
#[derive(Debug)]
pub(crate) struct Chunks {
    at: Place,
    extensions: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size {
        digits: u8,
        size: u64,
    },
    Extension {
        part: Part,
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

/// What a byte within a chunk's extensions belongs to (RFC 9112, section 7.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// White space that pads a size, before a semicolon or the line's end.
    Padding,
    /// White space before a name.
    BeforeName,
    Name,
    /// White space after a name, before an equals sign or a semicolon.
    AfterName,
    /// White space before a value.
    BeforeValue,
    Token,
    Quoted,
    /// After a backslash.
    Escaped,
    /// After a value, before a semicolon.
    AfterValue,
    /// Whatever it is.
    Any,
}

/// How the bytes begin that were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// So many bytes frame, and are no data.
    pub(crate) before: usize,
    /// So many bytes of data follow them.
    pub(crate) data: usize,
    /// So many bytes are done with in all.
    pub(crate) used: usize,
}

const START: Place = Place::Size { digits: 0, size: 0 };

impl Place {
    fn after_size(size: u64) -> Result<Self, Violation> {
        match size {
            0 => Ok(Self::Done),
            size if i64::try_from(size).is_ok() => Ok(Self::Data { left: size }),
            _ => Err(Violation::CHUNK_SIZE),
        }
    }
}

impl Chunks {
    pub(crate) const fn new() -> Self {
        Self { at: START, extensions: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at == Place::Done
    }

    /// How much data the chunk in hand still has.
    pub(crate) fn left(&self) -> u64 {
        match self.at {
            Place::Data { left } => left,
            _ => 0,
        }
    }

    /// Goes on with `bytes`, which are new each time. Moves the data of small chunks together.
    pub(crate) fn decode(&mut self, bytes: &mut [u8], rules: &Rules) -> Result<Decoded, Violation> {
        let (mut before, mut end, mut used) = (0, 0, 0);
        while used < bytes.len() && self.at != Place::Done {
            if self.at == START && end > before {
                (used, end) = move_small(bytes, used, end);
            }
            let Place::Data { left } = self.at else {
                if used == bytes.len() {
                    break;
                }
                used += self.step(&bytes[used..], rules)?;
                continue;
            };
            let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len() - used);
            if end == before {
                (before, end) = (used, used);
            } else {
                if taken > MOVED {
                    break;
                }
                bytes.copy_within(used..used + taken, end);
            }
            end += taken;
            used += taken;
            let left = left - taken as u64;
            self.at = if left == 0 { Place::DataCr } else { Place::Data { left } };
        }
        let before = if end == before { used } else { before };
        Ok(Decoded { before, data: end.saturating_sub(before), used })
    }

    /// Takes at least one byte of `bytes`, which are not empty, and no data.
    fn step(&mut self, bytes: &[u8], rules: &Rules) -> Result<usize, Violation> {
        let byte = bytes[0];
        if self.at == START
            && let Some((size, length)) = plain_size(bytes)
        {
            self.at = Place::after_size(size)?;
            return Ok(length);
        }
        self.at = match self.at {
            Place::Size { digits, size } => match (char::from(byte).to_digit(16), byte) {
                (Some(_), _) if digits == MAX_DIGITS => return Err(Violation::CHUNK_LINE_TOO_LONG),
                (Some(digit), _) => Place::Size { digits: digits + 1, size: size * 16 + u64::from(digit) },
                (None, b'\r') if digits > 0 => Place::SizeLf { size },
                (None, b';') if digits > 0 => {
                    let part = if rules.lenient { Part::Any } else { Part::BeforeName };
                    Place::Extension { part, length: 1, size }
                }
                (None, b' ' | b'\t') if digits > 0 && rules.lenient => {
                    Place::Extension { part: Part::Padding, length: 1, size }
                }
                _ => return Err(Violation::CHUNK_SIZE),
            },
            Place::Extension { part, length, size } => return self.extension(bytes, part, length, size, rules),
            Place::SizeLf { size } => match byte {
                b'\n' => Place::after_size(size)?,
                _ => return Err(Violation::CHUNK_SIZE),
            },
            Place::DataCr if bytes.starts_with(b"\r\n") => {
                self.at = START;
                return Ok(2);
            }
            Place::DataCr if byte == b'\r' => Place::DataLf,
            Place::DataLf if byte == b'\n' => START,
            Place::DataCr | Place::DataLf => return Err(Violation::CHUNK_END),
            Place::Data { .. } | Place::Done => return Ok(0),
        };
        Ok(1)
    }

    /// Extensions are held to their grammar and skipped: no recipient of ours knows any.
    fn extension(
        &mut self,
        bytes: &[u8],
        mut part: Part,
        mut length: u16,
        size: u64,
        rules: &Rules,
    ) -> Result<usize, Violation> {
        for (at, byte) in bytes.iter().enumerate() {
            if *byte == b'\r' && part.may_end() {
                self.extensions = self.extensions.saturating_add(u32::from(length));
                if self.extensions > rules.max_extensions {
                    return Err(Violation::CHUNK_EXTENSIONS_TOO_LONG);
                }
                self.at = Place::SizeLf { size };
                return Ok(at + 1);
            }
            part = part.after(*byte).ok_or(Violation::CHUNK_EXTENSION)?;
            length += 1;
            if length > MAX_LINE {
                return Err(Violation::CHUNK_LINE_TOO_LONG);
            }
        }
        self.at = Place::Extension { part, length, size };
        Ok(bytes.len())
    }
}

impl Part {
    /// Where the next byte stands after this one.
    fn after(self, byte: u8) -> Option<Self> {
        let white = matches!(byte, b' ' | b'\t');
        Some(match (self, byte) {
            (Self::Any, _) if is_text(byte) => Self::Any,
            (Self::Padding, b';') => Self::Any,
            (Self::Padding, _) if white => Self::Padding,
            (Self::BeforeName | Self::BeforeValue, _) if white => self,
            (Self::BeforeName | Self::Name, _) if is_token(byte) => Self::Name,
            (Self::Name | Self::AfterName, b'=') => Self::BeforeValue,
            (Self::Name | Self::AfterName | Self::Token | Self::AfterValue, b';') => Self::BeforeName,
            (Self::Name | Self::AfterName, _) if white => Self::AfterName,
            (Self::BeforeValue, b'"') => Self::Quoted,
            (Self::BeforeValue | Self::Token, _) if is_token(byte) => Self::Token,
            (Self::Quoted, b'"') => Self::AfterValue,
            (Self::Quoted, b'\\') => Self::Escaped,
            (Self::Quoted | Self::Escaped, _) if is_text(byte) => Self::Quoted,
            (Self::Token | Self::AfterValue, _) if white => Self::AfterValue,
            _ => return None,
        })
    }

    /// Whether the line may end here. White space before its end is part of no extension, and nobody needs it.
    fn may_end(self) -> bool {
        matches!(self, Self::Padding | Self::Name | Self::Token | Self::AfterValue | Self::Any)
    }
}

/// Printable ASCII and tabs.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (b' '..0x7f).contains(&byte)
}

/// Moves the data of chunks of less than sixteen bytes that are there as a whole, from `used` to `end`. Whoever sends one
/// of them sends thousands. Gives how many bytes are used by then, and where the data ends. What is not of this kind is left
/// to be looked at step by step.
fn move_small(bytes: &mut [u8], mut used: usize, mut end: usize) -> (usize, usize) {
    while let Some([digit, b'\r', b'\n', data @ ..]) = bytes.get(used..) {
        let Some(size @ 1..) = char::from(*digit).to_digit(16).map(|size| size as usize) else { break };
        if data.get(size..size + 2) != Some(b"\r\n") {
            break;
        }
        let from = used + 3;
        for at in 0..size {
            bytes[end + at] = bytes[from + at];
        }
        end += size;
        used = from + size + 2;
    }
    (used, end)
}

/// The size that a line without extensions says, and the line's length, when all of it is there.
#[inline]
fn plain_size(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut size = 0_u64;
    for (digits, byte) in bytes.iter().enumerate().take(usize::from(MAX_DIGITS)) {
        match char::from(*byte).to_digit(16) {
            Some(digit) => size = size * 16 + u64::from(digit),
            None if digits > 0 && bytes[digits..].starts_with(b"\r\n") => return Some((size, digits + 2)),
            None => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests;
