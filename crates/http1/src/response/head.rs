//! The head of a response (RFC 9112, section 4). Each byte is scanned once, however the head is split over reads.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version};

use crate::{
    body_reader::BodyLength,
    field::{self, ADDED, FieldSpan, Known},
    length,
    rules::Rules,
    section::{Next, Section},
    token::elements,
    violation::Violation,
};

/// The start of every response.
const PREFIX: &[u8] = b"HTTP/1.";

/// The head of a response, with the framing of its body and the fate of its connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ResponseHead {
    /// The status.
    pub status: StatusCode,
    /// HTTP/1.0 or HTTP/1.1. A later minor version is processed as the latter (RFC 9110, section 2.5).
    pub version: Version,
    /// The fields, without `Transfer-Encoding` and without a `Connection` field that holds only `keep-alive` or `close`.
    pub headers: HeaderMap,
    /// The length that the fields declare.
    pub length: Option<u64>,
    /// Whether the body, if there is one, is chunked.
    pub chunked: bool,
    /// Whether another response may follow on the connection.
    pub persistent: bool,
}

impl ResponseHead {
    /// How to find the end of the body; `to_head` says that the request's method was HEAD (RFC 9112, section 6.3).
    pub fn body(&self, to_head: bool) -> BodyLength {
        let none = self.status.is_informational()
            || matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match self.length {
            _ if to_head || none => BodyLength::None,
            _ if self.chunked => BodyLength::Chunked,
            Some(length) => BodyLength::known(length),
            None => BodyLength::UntilClose,
        }
    }
}

/// A scan in progress.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    section: Section,
    status_line: Option<(Version, StatusCode)>,
}

impl HeadScan {
    /// Scans `bytes`, which begin at the head's first byte in each call. Gives the length of the head once it is whole. The
    /// positions of the fields are put into `fields`.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        rules: &Rules,
        fields: &mut Vec<FieldSpan>,
    ) -> Result<Option<usize>, Violation> {
        if self.status_line.is_none() && !begins(bytes)? {
            return Ok(None);
        }
        loop {
            let line = match self.section.next(bytes, rules.max_head, Violation::RESPONSE_HEAD_TOO_LARGE)? {
                Next::Line(line) => line,
                Next::More => return Ok(None),
            };
            if self.status_line.is_none() {
                self.status_line = Some(status_line(&bytes[line])?);
                fields.clear();
            } else if line.is_empty() {
                return Ok(Some(self.section.line_at()));
            } else if fields.len() >= usize::from(rules.max_fields) {
                return Err(Violation::RESPONSE_TOO_MANY_FIELDS);
            } else {
                if let Some(field) = field::parse(&bytes[line.clone()], rules)? {
                    fields.push(field.span(line.start));
                }
            }
        }
    }

    pub(super) fn is_fresh(&self) -> bool {
        self.section.is_fresh()
    }

    /// Makes a head from slices of `bytes`. `headers` is an empty map whose memory is reused.
    pub(super) fn build(
        &self,
        bytes: &Bytes,
        fields: &[FieldSpan],
        mut headers: HeaderMap,
    ) -> Result<ResponseHead, Violation> {
        let (version, status) = self.status_line.ok_or(Violation::STATUS_LINE)?;
        let http11 = version == Version::HTTP_11;
        let (mut declared, mut chunked, mut closes, mut keeps) = (None, false, false, http11);
        headers.try_reserve(fields.len() + ADDED).map_err(|_| Violation::RESPONSE_TOO_MANY_FIELDS)?;
        for span in fields {
            let value = &bytes[span.value.clone()];
            match field::known(&bytes[span.name.clone()]) {
                Some(Known::ContentLength) => declared = Some(length::of_response(value, declared)?),
                Some(Known::TransferEncoding) => {
                    // The request asked for no other coding, so none may come (RFC 9112, section 6.1).
                    if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                        return Err(Violation::RESPONSE_CODING);
                    }
                    chunked = true;
                    continue;
                }
                Some(Known::Connection) => {
                    for option in elements(value) {
                        closes |= option.eq_ignore_ascii_case(b"close");
                        keeps |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                    if is_plain_connection(value) {
                        continue;
                    }
                }
                _ => {}
            }
            let (name, value) = field::name_and_value(bytes, span)?;
            headers.try_append(name, value).map_err(|_| Violation::RESPONSE_TOO_MANY_FIELDS)?;
        }
        // The bytes after this head may belong to this response or to the next one (RFC 9112, section 6.3).
        if chunked && declared.is_some() {
            return Err(Violation::RESPONSE_LENGTH_WITH_CODING);
        }
        if chunked && !http11 {
            return Err(Violation::RESPONSE_CODING_IN_1_0);
        }
        if status == StatusCode::SWITCHING_PROTOCOLS && !http11 {
            return Err(Violation::SWITCHING_IN_1_0);
        }
        Ok(ResponseHead { status, version, headers, length: declared, chunked, persistent: keeps && !closes })
    }
}

/// Whether a `Connection` field only says whether the connection stays open.
pub(super) fn is_plain_connection(value: &[u8]) -> bool {
    [&b"keep-alive"[..], b"close"].iter().any(|option| value.eq_ignore_ascii_case(option))
}

/// Whether these bytes begin a head. False if more bytes are needed to tell.
fn begins(bytes: &[u8]) -> Result<bool, Violation> {
    let length = bytes.len().min(PREFIX.len());
    if bytes[..length] == PREFIX[..length] { Ok(true) } else { other_protocol(bytes).map_or(Ok(false), Err) }
}

/// Detects an endpoint that does not speak HTTP/1 by its first bytes: an HTTP/2 server sends SETTINGS on stream 0 (RFC 9113,
/// sections 3.4 and 6.5), and a TLS server sends an alert (RFC 8446, section 5.1). `None` while the bytes could be either.
#[cold]
fn other_protocol(bytes: &[u8]) -> Option<Violation> {
    const SETTINGS: &[Option<u8>] =
        &[Some(0), None, None, Some(4), Some(0), Some(0), Some(0), Some(0), Some(0)];
    const ALERT: &[Option<u8>] = &[Some(0x15), Some(3)];
    let begins_so = |start: &[Option<u8>]| {
        start.iter().zip(bytes).all(|(start, byte)| start.is_none_or(|start| start == *byte))
    };
    let known = [(SETTINGS, Violation::SPEAKS_HTTP2), (ALERT, Violation::SPEAKS_TLS)];
    match known.into_iter().find(|(start, _)| begins_so(start)) {
        Some((start, _)) if bytes.len() < start.len() => None,
        Some((_, violation)) => Some(violation),
        None => Some(Violation::NOT_HTTP1),
    }
}

/// Parses a status line without its CRLF.
pub(super) fn status_line(line: &[u8]) -> Result<(Version, StatusCode), Violation> {
    let rest = line.strip_prefix(PREFIX).ok_or(Violation::NOT_HTTP1)?;
    let (minor, rest) = rest.split_first().ok_or(Violation::STATUS_LINE)?;
    let version = match minor {
        b'0' => Version::HTTP_10,
        // A recipient of HTTP/1.1 understands later minor versions (RFC 9110, section 2.5).
        b'1'..=b'9' => Version::HTTP_11,
        _ => return Err(Violation::STATUS_LINE),
    };
    let (code, reason) = match rest {
        [b' ', code @ ..] if code.len() >= 3 => code.split_at(3),
        _ => return Err(Violation::STATUS_LINE),
    };
    let sound = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    if !(reason.is_empty() || reason[0] == b' ') || !reason.iter().all(sound) {
        return Err(Violation::STATUS_LINE);
    }
    Ok((version, StatusCode::from_bytes(code).map_err(|_| Violation::STATUS_LINE)?))
}
