//! The chain of lines: each line holds the hash of the line before it, and its own.
//!
//! A line is `{"seq":N,…,"prev":"HEX","hash":"HEX"}`. `hash` is the SHA-256 of all bytes of the line before `,"hash":"`, and
//! `prev` is the `hash` of the line before. So a shell can recompute a line:
//! `printf %s "${line%,\"hash\":*}" | sha256sum`.

use std::{fmt, io::Write, str::FromStr};

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Deserializer, de::Error};

/// A place in the log: the number of a line, and its hash.
///
/// Who keeps one apart from the log can tell later that the log up to that line is what it was. Its text is `SEQ:HASH`, with
/// the hash as 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditCheckpoint {
    pub(super) seq: u64,
    pub(super) hash: Hash,
}

/// The SHA-256 of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(pub(super) [u8; 32]);

/// What stands between the hashed bytes of a line and its hash.
const BEFORE_HASH: &[u8] = b",\"hash\":\"";
const AFTER_HASH: &[u8] = b"\"}";

impl AuditCheckpoint {
    /// What the first line of a chain follows.
    pub(super) const ORIGIN: Self = Self { seq: 0, hash: Hash([0; 32]) };

    /// The number of the line, from 1.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Appends the line of these fields, with its newline, and moves on to it. `fields` are the members of a JSON object
    /// without its braces. Without `chained` a line has its number alone.
    pub(super) fn append(&mut self, fields: &[u8], chained: bool, lines: &mut Vec<u8>) {
        self.seq += 1;
        let begin = lines.len();
        // A Vec takes anything.
        let _ = write!(lines, "{{\"seq\":{},", self.seq);
        lines.extend_from_slice(fields);
        if chained {
            let _ = write!(lines, ",\"prev\":\"{}\"", self.hash);
            self.hash = Hash::of(&lines[begin..]);
            lines.extend_from_slice(BEFORE_HASH);
            let _ = write!(lines, "{}", self.hash);
            lines.extend_from_slice(AFTER_HASH);
        } else {
            self.hash = Self::ORIGIN.hash;
            lines.push(b'}');
        }
        lines.push(b'\n');
    }
}

impl Hash {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

pub(super) fn hex(bytes: &[u8], f: &mut impl fmt::Write) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Bytes from lower-case hex digits.
pub(super) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        from_hex(&text).map(Self).ok_or_else(|| D::Error::custom("a hash is 64 hex digits"))
    }
}

impl fmt::Display for AuditCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

/// A text that is no `SEQ:HASH`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidCheckpoint;

impl fmt::Display for InvalidCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a checkpoint is SEQ:HASH, a number and 64 hex digits, as the gateway prints it")
    }
}

impl std::error::Error for InvalidCheckpoint {}

impl FromStr for AuditCheckpoint {
    type Err = InvalidCheckpoint;

    fn from_str(text: &str) -> Result<Self, InvalidCheckpoint> {
        let (seq, hash) = text.trim().split_once(':').ok_or(InvalidCheckpoint)?;
        let seq = seq.parse().map_err(|_| InvalidCheckpoint)?;
        let hash = from_hex(&hash.to_ascii_lowercase()).map(Hash).ok_or(InvalidCheckpoint)?;
        Ok(Self { seq, hash })
    }
}

/// What a line says of its place in the chain.
#[derive(Deserialize)]
pub(super) struct Line {
    pub(super) seq: u64,
    pub(super) prev: Option<Hash>,
    pub(super) hash: Option<Hash>,
    pub(super) event: Option<String>,
    pub(super) cause: Option<String>,
    pub(super) ts: Option<String>,
    pub(super) sig: Option<String>,
    pub(super) key: Option<String>,
    pub(super) every: Option<u64>,
    pub(super) bytes: Option<u64>,
    pub(super) records: Option<u64>,
    pub(super) requests: Option<u64>,
}

impl Line {
    /// Reads a line without its newline. `None` when the log would not have written it.
    pub(super) fn read(line: &[u8]) -> Option<Self> {
        let read: Self = serde_json::from_slice(line).ok()?;
        let starts = line.starts_with(format!("{{\"seq\":{},", read.seq).as_bytes());
        (starts && read.prev.is_some() == read.hash.is_some()).then_some(read)
    }

    /// Whether the line has the hash that it says. A line without a chain has none.
    pub(super) fn has_its_hash(&self, line: &[u8]) -> bool {
        let Some(hash) = self.hash else { return true };
        let tail = BEFORE_HASH.len() + 64 + AFTER_HASH.len();
        let Some((body, rest)) = line.len().checked_sub(tail).map(|at| line.split_at(at)) else { return false };
        rest.starts_with(BEFORE_HASH) && rest.ends_with(AFTER_HASH) && Hash::of(body) == hash
    }

    /// Its place, when it has one that later lines can follow.
    pub(super) fn place(&self) -> AuditCheckpoint {
        AuditCheckpoint { seq: self.seq, hash: self.hash.unwrap_or(AuditCheckpoint::ORIGIN.hash) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_hashed_as_the_documentation_says() {
        let (mut place, mut lines) = (AuditCheckpoint::ORIGIN, Vec::new());
        place.append(b"\"a\":1", true, &mut lines);
        let text = String::from_utf8(lines.clone()).expect("text");
        let zeros = "0".repeat(64);
        let body = format!("{{\"seq\":1,\"a\":1,\"prev\":\"{zeros}\"");
        assert_eq!(text, format!("{body},\"hash\":\"{}\"}}\n", Hash::of(body.as_bytes())));
        // By `printf '{"seq":1,"a":1,"prev":"000…0"' | sha256sum`.
        assert_eq!(place.to_string(), format!("1:{KNOWN}"));
        assert_eq!(place.to_string().parse(), Ok(place));
        let line = &lines[..lines.len() - 1];
        assert!(Line::read(line).is_some_and(|read| read.has_its_hash(line) && read.place() == place));
    }

    const KNOWN: &str = "68b0eed178ee6df443df12715e07cc2dfa46ece6191eec1d02767d5ccb8c3bcb";

    #[test]
    fn a_checkpoint_that_is_none_is_refused() {
        for text in ["", "1", "1:", "1:abc", ":00", "x:00", &format!("-1:{}", "0".repeat(64))] {
            assert_eq!(text.parse::<AuditCheckpoint>(), Err(InvalidCheckpoint), "{text}");
        }
    }
}
