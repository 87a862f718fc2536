//! The request line (RFC 9112, section 3).

use std::ops::Range;

use http::Version;

use super::target;
use crate::{rules::Rules, scan::find_control, token::is_token, violation::Violation};

/// The longest method; every registered method is much shorter.
const MAX_METHOD: usize = 64;

/// The most bytes besides the target: the method, two spaces and the version.
const BESIDE_TARGET: usize = MAX_METHOD + "  HTTP/1.1\r\n".len();

/// The positions of the parts of a request line.
#[derive(Debug)]
pub(crate) struct RequestLine {
    pub(crate) method: Range<usize>,
    pub(crate) target: Range<usize>,
    pub(crate) version: Version,
}

/// Parses the request line at `line` in `bytes`.
pub(crate) fn parse(bytes: &[u8], line: Range<usize>, rules: &Rules) -> Result<RequestLine, Violation> {
    let text = &bytes[line.clone()];
    // Methods are too short for a vector search to pay.
    let method_end = text.iter().position(|byte| *byte == b' ').ok_or(Violation::REQUEST_LINE)?;
    let method = &text[..method_end];
    if method.is_empty() || method.len() > MAX_METHOD || !method.iter().all(|byte| is_token(*byte)) {
        return Err(Violation::METHOD);
    }
    let target_at = method_end + 1;
    let target_length = memchr::memchr(b' ', &text[target_at..]);
    let target_end = target_at + target_length.unwrap_or(text.len() - target_at);
    if target::is_too_long(&text[target_at..target_end], target_end - target_at, rules.max_target) {
        return Err(Violation::TARGET_TOO_LONG);
    }
    if target_end == text.len() || target_end == target_at {
        return Err(Violation::REQUEST_LINE);
    }
    let version = match &text[target_end + 1..] {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        // A recipient of HTTP/1.1 understands later minor versions (RFC 9110, section 2.5).
        [b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'] => Version::HTTP_11,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor]
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(Violation::VERSION);
        }
        _ => return Err(Violation::REQUEST_LINE),
    };
    if method == b"CONNECT" {
        return Err(Violation::CONNECT);
    }
    let at = |place| line.start + place;
    Ok(RequestLine { method: at(0)..at(method_end), target: at(target_at)..at(target_end), version })
}

/// Whether a line that begins with `start` can become a request line.
pub(crate) fn may_become_one(start: &[u8], rules: &Rules) -> Result<(), Violation> {
    // The method shows early whether this is HTTP at all.
    if start.len() > MAX_METHOD && !start[..=MAX_METHOD].contains(&b' ') {
        return Err(Violation::METHOD);
    }
    if let Some(length @ 1..) = start.len().checked_sub(BESIDE_TARGET) {
        // The method has ended by now, or it would be too long.
        let target_at = start.iter().position(|byte| *byte == b' ').map_or(start.len(), |space| space + 1);
        if target::is_too_long(&start[target_at..], length, rules.max_target) {
            return Err(Violation::TARGET_TOO_LONG);
        }
    }
    Ok(())
}

/// Whether a line with a wrong end in these bytes could have become a request line before that end.
#[cold]
pub(crate) fn may_have_become_one(bytes: &[u8], rules: &Rules) -> Result<(), Violation> {
    // A CR at the end of the bytes is not wrong yet.
    let end = match bytes.iter().position(|byte| byte.is_ascii_control() && *byte != b'\t') {
        Some(at) if bytes[at] == b'\r' => at + 1,
        Some(at) => at,
        None => bytes.len(),
    };
    may_become_one(&bytes[..end], rules)
}

/// Parses a request line without its CRLF whose target is a path. Such a line is valid with every host.
pub(crate) fn of_path(line: &[u8], rules: &Rules) -> Option<RequestLine> {
    if find_control(line).is_some() {
        return None;
    }
    let parsed = parse(line, 0..line.len(), rules).ok()?;
    let (target, method) = (&line[parsed.target.clone()], &line[parsed.method.clone()]);
    matches!(target::check(target, method), Ok(None)).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Version, Violation> {
        parse(line.as_bytes(), 0..line.len(), &Rules::default()).map(|line| line.version)
    }

    #[test]
    fn later_minor_versions_are_processed_as_1_1() {
        assert_eq!(read("GET / HTTP/1.0"), Ok(Version::HTTP_10));
        for version in ["1.1", "1.2", "1.9"] {
            assert_eq!(read(&format!("GET / HTTP/{version}")), Ok(Version::HTTP_11), "{version}");
        }
        for version in ["0.9", "2.0", "3.0"] {
            assert_eq!(read(&format!("GET / HTTP/{version}")), Err(Violation::VERSION), "{version}");
        }
        for version in ["1.10", "1.", "1", "", "1.1 ", "x.y"] {
            assert_eq!(read(&format!("GET / HTTP/{version}")), Err(Violation::REQUEST_LINE), "{version}");
        }
    }

    #[test]
    fn a_method_that_is_too_long_is_told_from_a_target_that_is() {
        let rules = Rules::default();
        let long = "A".repeat(20_000);
        assert_eq!(read(&format!("{long} / HTTP/1.1")), Err(Violation::METHOD));
        assert_eq!(may_become_one(long.as_bytes(), &rules), Err(Violation::METHOD));
        assert_eq!(read(&format!("GET /{long} HTTP/1.1")), Err(Violation::TARGET_TOO_LONG));
        assert_eq!(may_become_one(format!("GET /{long}").as_bytes(), &rules), Err(Violation::TARGET_TOO_LONG));
        for sound in ["", "G", "GET", &"A".repeat(MAX_METHOD), "GET /a"] {
            assert_eq!(may_become_one(sound.as_bytes(), &rules), Ok(()), "{sound}");
        }
    }
}
