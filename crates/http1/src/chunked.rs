//! The decoder of a chunked body, up to its trailers (RFC 9112, section 7.1).
//!
//! A sender may make chunks as small as it likes. The data of small chunks is moved together within the receive buffer, so
//! that a body in chunks of one byte does not cost one frame per byte.
//!
//! Invariants:
//!
//! 1. `at` is the position of the next byte in the grammar, so the result does not depend on how the bytes are split over
//!    reads.
//! 2. A size has at most `MAX_DIGITS` digits, so it cannot overflow. A chunk of data has 1 to `i64::MAX` bytes, and
//!    `Data { left }` is never zero.
//! 3. While `decode` runs, `before <= end <= used` holds. The data so far is `before..end`, and data moves only towards the
//!    front, so no byte that has not been read is overwritten.
//! 4. The extensions of one size line are at most `MAX_LINE` bytes long, and those of a whole body at most
//!    `max_extensions`.
//! 5. After `Done` or a violation, the decoder is not called again.

use crate::{rules::Rules, token::is_token, violation::Violation};

/// The longest extension part of a size line.
const MAX_LINE: u16 = 1024;
/// Sixteen hexadecimal digits are 64 bits.
const MAX_DIGITS: u8 = 16;
/// Larger pieces are not moved, because a frame of their own costs less.
const MOVED: usize = 512;

/// The position in a chunked body.
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

/// The part of a chunk extension that a byte belongs to (RFC 9112, section 7.1.1).
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
    /// Text of any form, for lenient rules.
    Any,
}

/// The decoded start of the given bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// The number of framing bytes before the data.
    pub(crate) before: usize,
    /// The number of bytes of data.
    pub(crate) data: usize,
    /// The number of bytes that are used up, framing and moved data included.
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

    /// The number of bytes that are left of the current chunk.
    pub(crate) fn left(&self) -> u64 {
        match self.at {
            Place::Data { left } => left,
            _ => 0,
        }
    }

    /// Decodes `bytes`, which follow the bytes of the last call. Moves the data of small chunks together.
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

    /// Takes at least one framing byte of `bytes`, which must not be empty.
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

    /// Checks the grammar of extensions and skips them. No extension is known here.
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
    /// The part of the extension after this byte; `None` if the byte breaks the grammar.
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

    /// Whether the line may end here. White space before the end is accepted and ignored.
    fn may_end(self) -> bool {
        matches!(self, Self::Padding | Self::Name | Self::Token | Self::AfterValue | Self::Any)
    }
}

/// Printable ASCII and tabs.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (b' '..0x7f).contains(&byte)
}

/// Moves the data of whole chunks of less than sixteen bytes from `used` to `end`: a sender of one such chunk often sends
/// thousands. Gives the new `used` and `end`. Every other chunk is left to the slower steps.
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

/// The size and the length of a whole size line without extensions.
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
