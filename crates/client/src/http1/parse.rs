//! A response's head (RFC 9112, section 4), and fields.

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode, Version,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};

use super::{Malformed, lines::Lines};

/// What every response begins with.
const PREFIX: &[u8] = b"HTTP/1.";

/// A response's head, and what it says of its connection and of its own end.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
    pub(super) keep_alive: bool,
}

/// Whether a head that is not whole yet may become one.
pub(super) fn may_begin(bytes: &[u8]) -> Result<(), Malformed> {
    let length = bytes.len().min(PREFIX.len());
    if bytes[..length] == PREFIX[..length] { Ok(()) } else { Err(Malformed("the response is no HTTP/1")) }
}

impl Head {
    /// Reads a whole head whose lines have been found. `headers` is empty, and used again.
    pub(super) fn read(head: &Bytes, lines: &Lines, headers: HeaderMap) -> Result<Self, Malformed> {
        let mut lines = lines.iter();
        let (start, end) = lines.next().ok_or(Malformed("the response has no status line"))?;
        let (version, status) = status_line(&head[start..end])?;
        let http11 = version == Version::HTTP_11;
        let mut read = Self { status, version, headers, length: None, chunked: false, keep_alive: http11 };
        let mut closes = false;
        for line in lines {
            let (name, value) = field(head, line)?;
            if name == CONTENT_LENGTH {
                read.length = Some(length(&value, read.length)?);
            } else if name == TRANSFER_ENCODING {
                // We ask for no other coding, so that none may come (RFC 9112, section 6.1).
                if read.chunked || !value.as_bytes().eq_ignore_ascii_case(b"chunked") {
                    return Err(Malformed("the response's Transfer-Encoding is not chunked"));
                }
                read.chunked = true;
            } else if name == CONNECTION {
                for option in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    closes |= option.eq_ignore_ascii_case(b"close");
                    read.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            append(&mut read.headers, name, value)?;
        }
        read.keep_alive &= !closes;
        // What follows may be this response's or the next one's (RFC 9112, section 6.3).
        if read.chunked && read.length.is_some() {
            return Err(Malformed("the response has both Content-Length and Transfer-Encoding"));
        }
        if read.chunked && !http11 {
            return Err(Malformed("HTTP/1.0 knows no Transfer-Encoding"));
        }
        if status == StatusCode::SWITCHING_PROTOCOLS && !http11 {
            return Err(Malformed("HTTP/1.0 knows no 101"));
        }
        Ok(read)
    }
}

/// The length that a field names. Lengths may be repeated, and contradict nothing then (RFC 9112, section 6.3).
pub(super) fn length(value: &HeaderValue, mut known: Option<u64>) -> Result<u64, Malformed> {
    let malformed = Malformed("the response's Content-Length is no number");
    for text in value.as_bytes().split(|byte| *byte == b',') {
        let length = digits(text.trim_ascii()).ok_or(malformed)?;
        if known.is_some_and(|other| other != length) {
            return Err(Malformed("the response's lengths contradict each other"));
        }
        known = Some(length);
    }
    known.ok_or(malformed)
}

pub(super) fn status_line(line: &[u8]) -> Result<(Version, StatusCode), Malformed> {
    let malformed = Malformed("the response's status line is malformed");
    may_begin(line)?;
    let (minor, rest) = line[PREFIX.len().min(line.len())..].split_first().ok_or(malformed)?;
    let version = match minor {
        b'1' => Version::HTTP_11,
        b'0' => Version::HTTP_10,
        _ => return Err(malformed),
    };
    let (code, reason) = match rest {
        [b' ', code @ ..] if code.len() >= 3 => code.split_at(3),
        _ => return Err(malformed),
    };
    let sound = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    if !(reason.is_empty() || reason[0] == b' ') || !reason.iter().all(sound) {
        return Err(malformed);
    }
    Ok((version, StatusCode::from_bytes(code).map_err(|_| malformed)?))
}

/// Reads a trailer section whose lines have been found.
pub(super) fn trailers(section: &Bytes, lines: &Lines) -> Result<HeaderMap, Malformed> {
    let mut trailers = HeaderMap::with_capacity(lines.len());
    for line in lines.iter() {
        let (name, value) = field(section, line)?;
        append(&mut trailers, name, value)?;
    }
    Ok(trailers)
}

fn append(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) -> Result<(), Malformed> {
    headers.try_append(name, value).map(drop).map_err(|_| Malformed("there are too many fields"))
}

fn field(head: &Bytes, (start, end): (usize, usize)) -> Result<(HeaderName, HeaderValue), Malformed> {
    let line = &head[start..end];
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Malformed("a field has no colon"))?;
    let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| Malformed("a field's name is malformed"))?;
    Ok((name, value(head, start + colon + 1, end)?))
}

/// A field's value without the white space around it.
pub(super) fn value(head: &Bytes, mut start: usize, mut end: usize) -> Result<HeaderValue, Malformed> {
    let space = |at: usize| matches!(head[at], b' ' | b'\t');
    while start < end && space(start) {
        start += 1;
    }
    while start < end && space(end - 1) {
        end -= 1;
    }
    HeaderValue::from_maybe_shared(head.slice(start..end))
        .map_err(|_| Malformed("a field's value is malformed"))
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
