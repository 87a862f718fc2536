//! The head of a request (RFC 9112, sections 2 to 6), scanned once however it is split over reads.

use std::ops::Range;

use http::Version;

use super::{host, line, line::RequestLine, target};
use crate::{
    body_reader::BodyLength,
    field::{self, Field, FieldSpan, Known},
    length::content_length,
    rules::Rules,
    section::{Next, Section},
    token::elements,
    violation::Violation,
};

/// The facts about the message in a whole head.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequestHead {
    /// The length of the head in bytes, with its empty line and a blank line before it.
    pub(crate) length: usize,
    pub(crate) method: Range<usize>,
    pub(crate) target: Range<usize>,
    /// HTTP/1.0 or HTTP/1.1. A later minor version is processed as the latter (RFC 9110, section 2.5).
    pub version: Version,
    /// How to find the end of the body.
    pub body: BodyLength,
    /// The request in the `Upgrade` field.
    pub upgrade: Option<Upgrade>,
    /// Whether another request may follow on the connection (RFC 9112, section 9.3).
    pub persistent: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expects_continue: bool,
    /// Whether the client accepts trailers after a response (RFC 9110, section 10.1.4).
    pub takes_trailers: bool,
    /// The number of fields that were dropped because of their [names](crate::Names::Drop).
    pub dropped_fields: u16,
}

/// The request in an `Upgrade` field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Upgrade {
    /// A WebSocket, which may be granted.
    WebSocket,
    /// Any other protocol. The request is ignored, as RFC 9110, section 7.8 allows.
    Ignored,
}

/// A scan in progress.
#[derive(Debug, Default)]
pub(crate) struct HeadScan {
    section: Section,
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
    dropped_fields: u16,
    /// The position of the line of the first dropped field.
    dropped_at: Option<usize>,
    /// The position of the line that broke a rule.
    refused_at: Option<usize>,
}

/// The protocols in the value of `Upgrade`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    WebSocket,
    Other,
}

impl HeadScan {
    /// Scans `bytes`, which begin at the head's first byte in each call. `None` asks for more bytes. The positions of the
    /// fields are put into `fields`.
    pub(crate) fn advance(
        &mut self,
        bytes: &[u8],
        rules: &Rules,
        fields: &mut Vec<FieldSpan>,
    ) -> Result<Option<RequestHead>, Violation> {
        loop {
            let line_at = self.section.line_at();
            let line = match self.section.next(bytes, rules.max_head, Violation::HEAD_TOO_LARGE) {
                Ok(Next::Line(line)) => line,
                Ok(Next::More) if self.request_line.is_none() => {
                    line::may_become_one(&bytes[line_at..], rules)?;
                    return Ok(None);
                }
                Ok(Next::More) => return Ok(None),
                Err(violation) if self.request_line.is_none() => {
                    line::may_have_become_one(&bytes[line_at..bytes.len().min(rules.max_head)], rules)?;
                    return Err(violation);
                }
                Err(violation) => {
                    if violation != Violation::HEAD_TOO_LARGE {
                        self.refused_at = Some(line_at);
                    }
                    return Err(violation);
                }
            };
            match (&self.request_line, line.is_empty()) {
                (Some(_), false) => self.field(bytes, line, rules, fields)?,
                (Some(_), true) => return self.finish(bytes, self.section.line_at()).map(Some),
                // One blank line before a request is to be ignored (RFC 9112, section 2.2).
                (None, true) if std::mem::replace(&mut self.blank_line, true) => {
                    return Err(Violation::REQUEST_LINE);
                }
                (None, true) => {}
                (None, false) => {
                    line::may_become_one(&bytes[line.start..=line.end], rules)?;
                    self.request_line = Some(line::parse(bytes, line, rules)?);
                    fields.clear();
                }
            }
        }
    }

    /// Whether no byte has been scanned.
    pub(crate) fn is_fresh(&self) -> bool {
        self.section.is_fresh()
    }

    /// Whether the client has begun to send the head; a blank line before it does not count.
    pub(crate) fn has_begun(&self, bytes: &[u8]) -> bool {
        bytes.len() > self.section.line_at() || self.request_line.is_some()
    }

    /// The method and the target, once the request line has arrived.
    pub(crate) fn request_line<'a>(&self, bytes: &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
        let line = self.request_line.as_ref()?;
        Some((bytes.get(line.method.clone())?, bytes.get(line.target.clone())?))
    }

    /// The name of the field that broke a rule, if the line has one.
    pub(crate) fn refused_name<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        name_at(bytes, self.refused_at?)
    }

    /// The name of the first dropped field.
    pub(crate) fn dropped_name<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        name_at(bytes, self.dropped_at?)
    }

    #[inline]
    fn field(
        &mut self,
        bytes: &[u8],
        line: Range<usize>,
        rules: &Rules,
        fields: &mut Vec<FieldSpan>,
    ) -> Result<(), Violation> {
        if fields.len() + usize::from(self.dropped_fields) >= usize::from(rules.max_fields) {
            return Err(Violation::TOO_MANY_FIELDS);
        }
        let line_at = line.start;
        let field = match field::parse(&bytes[line], rules) {
            Ok(Some(field)) => field,
            Ok(None) => {
                self.dropped_fields += 1;
                self.dropped_at.get_or_insert(line_at);
                return Ok(());
            }
            Err(violation) => {
                self.refused_at = Some(line_at);
                return Err(violation);
            }
        };
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
                self.takes_trailers |= elements(value).any(|coding| coding.eq_ignore_ascii_case(b"trailers"))
            }
            Known::Expect => {
                self.expectation = true;
                self.bad_expectation |= !value.eq_ignore_ascii_case(b"100-continue");
            }
            Known::Connection => {
                for option in elements(value) {
                    self.connection_upgrade |= option.eq_ignore_ascii_case(b"upgrade");
                    self.connection_close |= option.eq_ignore_ascii_case(b"close");
                    self.connection_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                }
            }
            Known::Upgrade => {
                let asked = match value {
                    _ if self.upgrade.is_some() => Asked::Other,
                    _ if value.eq_ignore_ascii_case(b"websocket") => Asked::WebSocket,
                    _ => Asked::Other,
                };
                self.upgrade = Some(asked);
            }
        }
        Ok(())
    }

    /// Applies the rules that need the whole head.
    fn finish(&self, bytes: &[u8], length: usize) -> Result<RequestHead, Violation> {
        let Some(RequestLine { method, target, version }) = &self.request_line else {
            return Err(Violation::REQUEST_LINE);
        };
        let (method_at, target_at, version) = (method.clone(), target.clone(), *version);
        let (method, target) = (&bytes[method_at.clone()], &bytes[target_at.clone()]);
        let host = self.host.clone().map(|host| &bytes[host]);
        if host.is_some_and(|host| !host::is_valid(host)) {
            return Err(Violation::HOST_MALFORMED);
        }
        match (host, target::check(target, method)?) {
            // HTTP/1.0 requires no Host, and probes of load balancers send none. A target in absolute form names a host that older
            // servers ignore.
            (None, None) if version == Version::HTTP_10 => {}
            (None, _) => return Err(Violation::HOST_MISSING),
            (Some(host), Some(named)) if !host::same(named.host, host, named.default_port) => {
                return Err(Violation::HOST_MISMATCH);
            }
            (Some(_), _) => {}
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
        let upgrade = self.upgrade.map(|asked| self.upgrade(asked, version, method, body));
        let modern = version == Version::HTTP_11;
        Ok(RequestHead {
            length,
            method: method_at,
            target: target_at,
            version,
            body,
            upgrade,
            persistent: !self.connection_close && (modern || self.connection_keep_alive),
            expects_continue: self.expectation && modern && body != BodyLength::None,
            takes_trailers: self.takes_trailers,
            dropped_fields: self.dropped_fields,
        })
    }

    /// Decides about an offer, which may always be ignored (RFC 9110, section 7.8). A WebSocket is accepted by GET without a
    /// body, as its handshake demands (RFC 6455, section 4.1). With a body, the protocol of the bytes after the head would be
    /// ambiguous.
    fn upgrade(&self, asked: Asked, version: Version, method: &[u8], body: BodyLength) -> Upgrade {
        let is_handshake = self.connection_upgrade
            && version == Version::HTTP_11
            && method == b"GET"
            && body == BodyLength::None;
        if asked == Asked::WebSocket && is_handshake { Upgrade::WebSocket } else { Upgrade::Ignored }
    }
}

/// The name of the field whose line begins at `at`. `None` on a folded line or a line without a colon, where a value could
/// stand in place of the name.
fn name_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let line = bytes.get(at..)?;
    let end = line.iter().position(|byte| *byte == b':' || byte.is_ascii_control())?;
    (line[end] == b':' && !matches!(line[0], b' ' | b'\t' | b':')).then(|| &line[..end])
}
