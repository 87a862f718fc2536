//! A chunked body as it comes in (RFC 9112, section 7.1).

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

use super::{MAX_TRAILERS, Malformed, lines::Lines, parse};

/// The longest size line, extensions included.
const MAX_LINE: usize = 1024;

/// Sixteen hexadecimal digits are 64 bits.
const MAX_DIGITS: usize = 16;

/// The extensions of a whole body at most. They are thrown away, so that many of them are an attack.
const MAX_EXTENSIONS: u16 = 16 << 10;

/// Where in its chunks a body stands.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    extensions: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    Ended,
}

/// What comes next in a body.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    Data(Bytes),
    Trailers(HeaderMap),
    End,
    /// Nothing before more is read: so many bytes at least, where that is known.
    More(u64),
}

impl Chunked {
    pub(super) fn new() -> Self {
        Self { state: State::Size, extensions: 0 }
    }

    /// Takes what comes next from what was received.
    pub(super) fn next(&mut self, received: &mut BytesMut, lines: &mut Lines) -> Result<Next, Malformed> {
        loop {
            match self.state {
                State::Size => match size_line(received)? {
                    None => return Ok(Next::More(0)),
                    Some(line) => {
                        self.extensions = u16::try_from(line.extension)
                            .ok()
                            .and_then(|length| self.extensions.checked_add(length))
                            .filter(|length| *length <= MAX_EXTENSIONS)
                            .ok_or(Malformed("the chunks have too many extensions"))?;
                        let _ = received.split_to(line.length);
                        self.state = if line.size == 0 { State::Trailers } else { State::Data(line.size) };
                        lines.clear();
                    }
                },
                State::Data(left) => {
                    if received.is_empty() {
                        return Ok(Next::More(left));
                    }
                    let taken = usize::try_from(left).unwrap_or(usize::MAX).min(received.len());
                    let left = left - taken as u64;
                    self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                    return Ok(Next::Data(received.split_to(taken).freeze()));
                }
                State::DataEnd => match &received[..] {
                    [b'\r', b'\n', ..] => {
                        let _ = received.split_to(2);
                        self.state = State::Size;
                    }
                    [] | [b'\r'] => return Ok(Next::More(0)),
                    _ => return Err(Malformed("a chunk does not end where its size says")),
                },
                State::Trailers => {
                    let Some(length) = lines.find_end(received, MAX_TRAILERS)? else {
                        return Ok(Next::More(0));
                    };
                    let section = received.split_to(length).freeze();
                    self.state = State::Ended;
                    if lines.len() > 0 {
                        return parse::trailers(&section, lines).map(Next::Trailers);
                    }
                }
                State::Ended => return Ok(Next::End),
            }
        }
    }

    /// Whether nothing is left but the end, when that has been received already. Takes it then.
    pub(super) fn try_end(&mut self, received: &mut BytesMut) -> bool {
        if self.state == State::DataEnd && received[..] == *b"\r\n0\r\n\r\n" {
            received.clear();
            self.state = State::Ended;
        }
        self.state == State::Ended
    }
}

struct SizeLine {
    size: u64,
    extension: usize,
    length: usize,
}

/// The line before a chunk, when all of it is there.
fn size_line(bytes: &[u8]) -> Result<Option<SizeLine>, Malformed> {
    let malformed = Malformed("a chunk's size is malformed");
    let mut size = 0_u64;
    let mut digits = 0;
    while let Some(digit) = bytes.get(digits).and_then(|byte| char::from(*byte).to_digit(16)) {
        if digits == MAX_DIGITS {
            return Err(malformed);
        }
        size = size << 4 | u64::from(digit);
        digits += 1;
    }
    let rest = &bytes[digits..];
    if rest.is_empty() {
        return Ok(None);
    }
    // Some endpoints fill the line up with spaces.
    let space = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    if digits == 0 || i64::try_from(size).is_err() || !matches!(rest.get(space), None | Some(b';' | b'\r')) {
        return Err(malformed);
    }
    let text = |byte: &u8| *byte == b'\t' || (b' '..0x7f).contains(byte);
    let extension = rest.iter().take_while(|byte| text(byte)).count();
    if digits + extension > MAX_LINE {
        return Err(Malformed("a chunk's extensions are too long"));
    }
    match &rest[extension..] {
        [] | [b'\r'] => Ok(None),
        [b'\r', b'\n', ..] => Ok(Some(SizeLine { size, extension, length: digits + extension + 2 })),
        _ => Err(malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Result<(Vec<u8>, usize, usize), Malformed> {
        let mut received = BytesMut::from(bytes);
        let (mut chunked, mut lines) = (Chunked::new(), Lines::new());
        let (mut data, mut trailers) = (Vec::new(), 0);
        loop {
            match chunked.next(&mut received, &mut lines)? {
                Next::Data(chunk) => data.extend_from_slice(&chunk),
                Next::Trailers(section) => trailers = section.len(),
                Next::End => return Ok((data, trailers, received.len())),
                Next::More(_) => panic!("{:?} wants more", String::from_utf8_lossy(bytes)),
            }
        }
    }

    #[test]
    fn chunks_end_with_the_last_one() {
        assert_eq!(whole(b"0\r\n\r\n"), Ok((vec![], 0, 0)));
        assert_eq!(whole(b"5\r\nhello\r\n00;a=\"b\"\r\n\r\nxy"), Ok((b"hello".into(), 0, 2)));
        assert_eq!(whole(b"1;\ta\r\nx\r\n1  \r\ny\r\n0\r\na: b\r\nc:d\r\n\r\n"), Ok((b"xy".into(), 2, 0)));
    }

    #[test]
    fn malformed_chunks_are_refused_at_their_first_wrong_byte() {
        for bytes in [
            &b"\r"[..],
            b"x",
            b"0x",
            b"+5",
            b"-1",
            b" 5",
            b"5 5",
            b"5_",
            b"5\n",
            b"5\rx",
            b";",
            b"8000000000000000\r",
            b"00000000000000005",
            b"5;a\n",
            b"5;a\0",
            b"5;\xff",
            b"5;a\rx",
            b"5\r\nhelloX",
            b"5\r\nhello\n",
            b"5\r\nhello\rX",
            b"0\r\n\n",
            b"0\r\na b: c\r\n\r\n",
            b"0\r\n folded: c\r\n\r\n",
            b"0\r\na\r\n\r\n",
        ] {
            assert!(whole(bytes).is_err(), "{:?}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn extensions_are_bounded_in_each_line_and_in_all() {
        let line = |length| [b"1;", &vec![b'a'; length][..], b"\r\nx\r\n"].concat();
        assert!(whole(&[&line(1000)[..], b"0\r\n\r\n"].concat()).is_ok());
        assert!(whole(&line(1025)).is_err());
        assert!(whole(&line(1000).repeat(17)).is_err());
    }
}
