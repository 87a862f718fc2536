//! The head of a request (RFC 9112, sections 2 to 6), scanned once however it is split over reads.

use std::ops::Range;

use http::Version;

use super::{
    fields::{self, Field, FieldSpan, Known},
    host,
    scan::find_control,
    target,
    violation::Violation,
};

/// Far beyond any registered method.
const MAX_METHOD: usize = 64;

/// The limits and switches of a head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) max_head: usize,
    pub(crate) max_target: usize,
    pub(crate) max_fields: u16,
    pub(crate) allow_underscore: bool,
}

/// What a whole head says of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// Its length in bytes, its empty line and any blank line before it included.
    pub(crate) length: usize,
    pub(crate) method: Range<usize>,
    pub(crate) target: Range<usize>,
    pub(crate) version: Version,
    pub(crate) body: BodyLength,
    pub(crate) upgrade: Option<Upgrade>,
    /// Whether another request may follow on the connection (RFC 9112, section 9.3).
    pub(crate) persistent: bool,
    /// Whether the client waits for `100` before it sends the body.
    pub(crate) expects_continue: bool,
    /// Whether the client takes trailers after a response (RFC 9110, section 10.1.4).
    pub(crate) takes_trailers: bool,
}

/// How the end of a body is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyLength {
    None,
    Known(u64),
    Chunked,
}

/// What an `Upgrade` field asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Upgrade {
    /// A WebSocket, which may be granted.
    WebSocket,
    /// Anything else, which is ignored, as RFC 9110, section 7.8 allows.
    Ignored,
}

/// A scan in progress. All places are relative to the head's first byte.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    line_at: usize,
    searched: usize,
    blank_line: bool,
    request_line: Option<RequestLine>,
    host: Option<Range<usize>>,
    length: Option<u64>,
    chunked: bool,
    expectation: bool,
    bad_expectation: bool,
    connection_upgrade: bool,
    connection_close: bool,
    connection_keep_alive: bool,
    takes_trailers: bool,
    upgrade: Option<Asked>,
}

#[derive(Debug)]
struct RequestLine {
    method: Range<usize>,
    target: Range<usize>,
    version: Version,
}

/// What the value of `Upgrade` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    WebSocket,
    H2c,
    Other,
}

impl HeadScan {
    /// Goes on with `bytes`, which begin at the head's first byte each time. `None` asks for more. The places of its
    /// fields are put into `fields`.
    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        rules: &Rules,
        fields: &mut Vec<FieldSpan>,
    ) -> Result<Option<Head>, Violation> {
        // Kept in locals, since a head nearly always comes in one piece.
        let (mut line_at, mut searched) = (self.line_at, self.searched);
        while let Some(found) = find_control(&bytes[searched..]) {
            let at = searched + found;
            match (bytes[at], bytes.get(at + 1)) {
                (b'\r', Some(b'\n')) => {
                    let next = at + 2;
                    if next > rules.max_head {
                        return Err(Violation::HEAD_TOO_LARGE);
                    }
                    if at > line_at && self.request_line.is_some() {
                        self.field(bytes, line_at..at, rules, fields)?;
                    } else if self.line(bytes, line_at..at, rules, fields)? {
                        return self.finish(bytes, next).map(Some);
                    }
                    (line_at, searched) = (next, next);
                }
                (b'\r', None) => {
                    searched = at;
                    return self.partial(bytes, line_at, searched, rules);
                }
                (b'\t', _) if self.request_line.is_some() => searched = at + 1,
                (b'\r', Some(_)) => return Err(Violation::BARE_CR),
                (b'\n', _) => return Err(Violation::BARE_LF),
                _ => return Err(Violation::CONTROL),
            }
        }
        self.partial(bytes, line_at, bytes.len(), rules)
    }

    /// Whether nothing has been scanned yet.
    pub(super) fn is_fresh(&self) -> bool {
        self.searched == 0 && self.request_line.is_none() && !self.blank_line
    }

    /// Whether the client has begun to send it; a blank line before it does not count.
    pub(super) fn has_begun(&self, bytes: &[u8]) -> bool {
        bytes.len() > self.line_at || self.request_line.is_some()
    }

    /// The method and target, once the request line has come.
    pub(super) fn request_line<'a>(&self, bytes: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let line = self.request_line.as_ref()?;
        Some((bytes.get(line.method.clone())?, bytes.get(line.target.clone())?))
    }

    /// Remembers how far the scan has come.
    fn partial(
        &mut self,
        bytes: &[u8],
        line_at: usize,
        searched: usize,
        rules: &Rules,
    ) -> Result<Option<Head>, Violation> {
        (self.line_at, self.searched) = (line_at, searched);
        if bytes.len() > rules.max_head {
            return Err(Violation::HEAD_TOO_LARGE);
        }
        // Room for the method and the version.
        if self.request_line.is_none() && bytes.len() - line_at > rules.max_target + MAX_METHOD + 16 {
            return Err(Violation::TARGET_TOO_LONG);
        }
        Ok(None)
    }

    /// Takes the request line or an empty one; true at the empty line that ends the head.
    fn line(
        &mut self,
        bytes: &[u8],
        line: Range<usize>,
        rules: &Rules,
        fields: &mut Vec<FieldSpan>,
    ) -> Result<bool, Violation> {
        match (&self.request_line, line.is_empty()) {
            (Some(_), _) => return Ok(true),
            // One blank line before a request is to be ignored (RFC 9112, section 2.2).
            (None, true) if std::mem::replace(&mut self.blank_line, true) => {
                return Err(Violation::REQUEST_LINE);
            }
            (None, true) => {}
            (None, false) => {
                self.request_line = Some(request_line(bytes, line, rules)?);
                fields.clear();
            }
        }
        Ok(false)
    }

    #[inline]
    fn field(
        &mut self,
        bytes: &[u8],
        line: Range<usize>,
        rules: &Rules,
        fields: &mut Vec<FieldSpan>,
    ) -> Result<(), Violation> {
        if fields.len() >= usize::from(rules.max_fields) {
            return Err(Violation::TOO_MANY_FIELDS);
        }
        let line_at = line.start;
        let field = fields::parse(&bytes[line], rules.allow_underscore)?;
        fields.push(field.span(line_at));
        match field.known {
            Some(known) => self.known(known, field, line_at),
            None => Ok(()),
        }
    }

    fn known(&mut self, known: Known, field: Field<'_>, line_at: usize) -> Result<(), Violation> {
        let value = field.value;
        match known {
            Known::Host => {
                if self.host.replace(field.span(line_at).value).is_some() {
                    return Err(Violation::HOST_DUPLICATE);
                }
            }
            Known::ContentLength => {
                let length = content_length(value).ok_or(Violation::LENGTH)?;
                if self.length.replace(length).is_some() {
                    return Err(Violation::LENGTH_DUPLICATE);
                }
            }
            Known::TransferEncoding => {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(Violation::CODING);
                }
                if std::mem::replace(&mut self.chunked, true) {
                    return Err(Violation::CODING_DUPLICATE);
                }
            }
            Known::Te => {
                self.takes_trailers |= options(value).any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
            }
            Known::Expect => {
                self.expectation = true;
                self.bad_expectation |= !value.eq_ignore_ascii_case(b"100-continue");
            }
            Known::Connection => {
                for option in options(value) {
                    self.connection_upgrade |= option.eq_ignore_ascii_case(b"upgrade");
                    self.connection_close |= option.eq_ignore_ascii_case(b"close");
                    self.connection_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            Known::Upgrade => {
                let asked = match value {
                    _ if self.upgrade.is_some() => Asked::Other,
                    _ if value.eq_ignore_ascii_case(b"websocket") => Asked::WebSocket,
                    _ if value.eq_ignore_ascii_case(b"h2c") => Asked::H2c,
                    _ => Asked::Other,
                };
                self.upgrade = Some(asked);
            }
        }
        Ok(())
    }

    /// Judges what no single line could tell.
    fn finish(&self, bytes: &[u8], length: usize) -> Result<Head, Violation> {
        let Some(RequestLine { method, target, version }) = &self.request_line else {
            return Err(Violation::REQUEST_LINE);
        };
        let (method_at, target_at, version) = (method.clone(), target.clone(), *version);
        let (method, target) = (&bytes[method_at.clone()], &bytes[target_at.clone()]);
        let host = self.host.clone().ok_or(Violation::HOST_MISSING)?;
        let host = &bytes[host];
        if !host::is_valid(host) {
            return Err(Violation::HOST_MALFORMED);
        }
        if let Some(named) = target::check(target, method)?
            && !host::same(named.host, host, named.default_port)
        {
            return Err(Violation::HOST_MISMATCH);
        }
        let body = match (self.chunked, self.length) {
            (true, Some(_)) => return Err(Violation::LENGTH_WITH_CODING),
            (true, None) if version == Version::HTTP_10 => return Err(Violation::CODING_IN_1_0),
            (true, None) => BodyLength::Chunked,
            (false, None | Some(0)) => BodyLength::None,
            (false, Some(length)) => BodyLength::Known(length),
        };
        if self.bad_expectation {
            return Err(Violation::EXPECTATION);
        }
        let upgrade = match self.upgrade {
            None => None,
            Some(asked) => Some(self.upgrade(asked, version, method, body)?),
        };
        let modern = version == Version::HTTP_11;
        Ok(Head {
            length,
            method: method_at,
            target: target_at,
            version,
            body,
            upgrade,
            persistent: !self.connection_close && (modern || self.connection_keep_alive),
            expects_continue: self.expectation && modern && body != BodyLength::None,
            takes_trailers: self.takes_trailers,
        })
    }

    /// An upgrade with a body is refused, save one to h2c, which curl offers with every request and which is ignored.
    fn upgrade(
        &self,
        asked: Asked,
        version: Version,
        method: &[u8],
        body: BodyLength,
    ) -> Result<Upgrade, Violation> {
        let has_body = body != BodyLength::None || self.length.is_some();
        match asked {
            Asked::H2c => Ok(Upgrade::Ignored),
            _ if has_body => Err(Violation::UPGRADE),
            Asked::WebSocket if method != b"GET" => Err(Violation::UPGRADE),
            Asked::WebSocket if self.connection_upgrade && version == Version::HTTP_11 => {
                Ok(Upgrade::WebSocket)
            }
            Asked::WebSocket | Asked::Other => Ok(Upgrade::Ignored),
        }
    }
}

/// The elements of a list.
fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// The method, target and version of a request line, its CRLF left out, that is valid whatever the host: its target is
/// a path.
pub(crate) fn origin_request_line(line: &[u8], rules: &Rules) -> Option<(Range<usize>, Range<usize>, Version)> {
    if find_control(line).is_some() {
        return None;
    }
    let RequestLine { method, target, version } = request_line(line, 0..line.len(), rules).ok()?;
    match target::check(&line[target.clone()], &line[method.clone()]) {
        Ok(None) if line[target.start] == b'/' => Some((method, target, version)),
        _ => None,
    }
}

fn request_line(bytes: &[u8], line: Range<usize>, rules: &Rules) -> Result<RequestLine, Violation> {
    let text = &bytes[line.clone()];
    // Methods are too short for a search by vectors to pay.
    let method_end = text.iter().position(|byte| *byte == b' ').ok_or(Violation::REQUEST_LINE)?;
    let target_at = method_end + 1;
    let target_length = memchr::memchr(b' ', &text[target_at..]);
    let target_end = target_at + target_length.unwrap_or(text.len() - target_at);
    if target_end - target_at > rules.max_target {
        return Err(Violation::TARGET_TOO_LONG);
    }
    let method = &text[..method_end];
    if method.is_empty() || method.len() > MAX_METHOD || !method.iter().all(|byte| is_token(*byte)) {
        return Err(Violation::METHOD);
    }
    if target_end == text.len() || target_end == target_at {
        return Err(Violation::REQUEST_LINE);
    }
    let version = match &text[target_end + 1..] {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
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

/// Digits alone, with no zero before them, and no more than a signed 64-bit number holds.
pub(crate) fn content_length(value: &[u8]) -> Option<u64> {
    let plain = match value {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.len() < 19 && rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    let length = value.iter().try_fold(0_u64, |length, digit| {
        length.checked_mul(10)?.checked_add(u64::from(digit.wrapping_sub(b'0')))
    })?;
    (plain && i64::try_from(length).is_ok()).then_some(length)
}

/// A character of a token (RFC 9110, section 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
