//! Lines by a template of field names, in place of JSON.

use std::{
    fmt::{self, Write},
    net::IpAddr,
    time::Duration,
};

use gatewright_core::ids::Hex;
use http::{HeaderName, HeaderValue};

use super::line::Line;
use crate::WatchedHeaders;

/// A line of the access log as text with the names of fields in braces: `{ts} {client} "{method} {path}" {status}`.
///
/// 1. A field is written as in JSON, without quotes. One that is absent is `-`.
/// 2. `{request_headers.NAME}` and `{response_headers.NAME}` are single headers. `{{` and `}}` are braces.
/// 3. A value never ends the line nor its own quotes: control characters, `"` and `\` are written as `\u0022`, as JSON writes
///    them. Outside quotes, a space in a value is written so too, so that a value stays one word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogTemplate(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field { field: Field, quoted: bool },
}

/// Why a template is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotATemplate(String);

impl fmt::Display for NotATemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotATemplate {}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    /// By the position in [`NAMES`].
    Usual(usize),
    RequestHeader(HeaderName),
    ResponseHeader(HeaderName),
}

type Write1 = fn(&Line<'_>, &mut Escaped<'_>) -> fmt::Result;

/// The fields, as JSON names them.
const NAMES: &[(&str, Write1)] = &[
    ("ts", |line, to| to.write_str(line.ts.timestamp().as_str())),
    ("event", |line, to| to.option(line.event)),
    ("request_id", |line, to| to.option(line.request_id)),
    ("trace_id", |line, to| to.option(line.trace_id.map(Hex::<32>::new).as_ref().map(Hex::as_str))),
    ("span_id", |line, to| {
        to.option(line.span_id.map(u128::from).map(Hex::<16>::new).as_ref().map(Hex::as_str))
    }),
    ("client", |line, to| to.option::<IpAddr>(line.client)),
    ("method", |line, to| to.option(line.method)),
    ("host", |line, to| to.option(line.host.as_deref())),
    ("path", |line, to| to.option(line.path)),
    ("query", |line, to| to.option(line.query.as_deref())),
    ("route", |line, to| to.option(line.route)),
    ("upstream", |line, to| to.option(line.upstream)),
    ("endpoint", |line, to| to.option(line.endpoint)),
    ("status", |line, to| to.option(line.status)),
    ("bytes_in", |line, to| to.option(line.bytes_in)),
    ("bytes_out", |line, to| to.option(line.bytes_out)),
    ("duration_ms", |line, to| to.option(line.duration_ms.map(milliseconds))),
    ("upstream_ms", |line, to| to.option(line.upstream_ms.map(milliseconds))),
    ("principal", |line, to| to.option(line.principal)),
    ("credential", |line, to| to.option(line.credential)),
    ("rejection", |line, to| to.option(line.rejection)),
    ("would_reject", |line, to| to.option(line.would_reject)),
    ("closed_by", |line, to| to.option(line.closed_by)),
];

impl LogTemplate {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// When a name is unknown or a brace has no partner. The error lists the names that are known.
    pub fn parse(text: &str) -> Result<Self, NotATemplate> {
        let (mut parts, mut literal, mut quoted) = (Vec::new(), String::new(), false);
        let mut rest = text;
        while let Some(at) = first(rest, b"{}") {
            let (before, brace) = rest.split_at(at);
            literal.push_str(before);
            quoted ^= before.bytes().filter(|byte| *byte == b'"').count() % 2 == 1;
            if let Some(after) = brace.strip_prefix("{{").or_else(|| brace.strip_prefix("}}")) {
                literal.push_str(&brace[..1]);
                rest = after;
                continue;
            }
            let end = if brace.starts_with('{') { first(brace, b"}") } else { None };
            let Some(end) = end else {
                return Err(NotATemplate(format!(
                    "a brace without its partner: a field is written `{{status}}`, a brace `{brace2}{brace2}`",
                    brace2 = &brace[..1]
                )));
            };
            parts.push(Part::Text(std::mem::take(&mut literal)));
            parts.push(Part::Field { field: Field::of(&brace[1..end])?, quoted });
            rest = &brace[end + 1..];
        }
        literal.push_str(rest);
        if literal.contains(char::is_control) || text.contains(char::is_control) {
            return Err(NotATemplate("a control character: a line is one line of text".to_owned()));
        }
        parts.push(Part::Text(literal));
        Ok(Self(parts))
    }

    fn fields(&self) -> impl Iterator<Item = &Field> {
        self.0.iter().filter_map(|part| match part {
            Part::Field { field, .. } => Some(field),
            Part::Text(_) => None,
        })
    }

    pub(super) fn headers(&self) -> WatchedHeaders {
        self.fields().fold(WatchedHeaders::default(), |headers, field| match field {
            Field::RequestHeader(name) => headers.request(name.clone()),
            Field::ResponseHeader(name) => headers.response(name.clone()),
            Field::Usual(_) => headers,
        })
    }

    pub(super) fn names_query(&self) -> bool {
        self.fields().any(|field| matches!(field, Field::Usual(at) if NAMES[*at].0 == "query"))
    }

    /// Appends the line and its newline.
    pub(super) fn append(&self, line: &Line<'_>, buffer: &mut Vec<u8>) -> fmt::Result {
        for part in &self.0 {
            match part {
                Part::Text(text) => buffer.extend_from_slice(text.as_bytes()),
                Part::Field { field, quoted } => {
                    let mut to = Escaped { buffer, quoted: *quoted };
                    match field {
                        Field::Usual(at) => NAMES[*at].1(line, &mut to)?,
                        Field::RequestHeader(name) => header(line.request_headers, name, &mut to)?,
                        Field::ResponseHeader(name) => header(line.response_headers, name, &mut to)?,
                    }
                }
            }
        }
        buffer.push(b'\n');
        Ok(())
    }
}

/// Where the first of some ASCII characters stands. It stands apart from the reader: with the searches of `str` inlined into
/// that, LLVM's elimination of constraints took more than five minutes.
#[inline(never)]
fn first(text: &str, characters: &[u8]) -> Option<usize> {
    text.bytes().position(|byte| characters.contains(&byte))
}

impl Field {
    #[inline(never)]
    fn of(name: &str) -> Result<Self, NotATemplate> {
        if let Some(at) = NAMES.iter().position(|(known, _)| *known == name) {
            return Ok(Self::Usual(at));
        }
        let (request, response) =
            (name.strip_prefix("request_headers."), name.strip_prefix("response_headers."));
        let header = request.or(response).and_then(|header| HeaderName::from_bytes(header.as_bytes()).ok());
        match header {
            Some(header) if request.is_some() => Ok(Self::RequestHeader(header)),
            Some(header) => Ok(Self::ResponseHeader(header)),
            None => {
                let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
                Err(NotATemplate(format!(
                    "there is no field `{}`; the fields are {}, `request_headers.NAME` and `response_headers.NAME`",
                    name.escape_debug(),
                    names.join(", ")
                )))
            }
        }
    }
}

fn header(headers: Option<super::line::Headers<'_>>, name: &HeaderName, to: &mut Escaped<'_>) -> fmt::Result {
    let mut values = headers.into_iter().flat_map(|headers| headers.of(name)).peekable();
    if values.peek().is_none() {
        return to.write_str("-");
    }
    for (number, value) in values.enumerate() {
        to.write_str(if number == 0 { "" } else { "," })?;
        to.write_str(&value)?;
    }
    Ok(())
}

fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

/// Escapes what could end a line or a value.
struct Escaped<'a> {
    buffer: &'a mut Vec<u8>,
    quoted: bool,
}

impl Escaped<'_> {
    fn option<T: fmt::Display>(&mut self, value: Option<T>) -> fmt::Result {
        match value {
            Some(value) => write!(self, "{value}"),
            None => self.write_str("-"),
        }
    }
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            let stays = match char {
                '"' | '\\' | '\u{2028}' | '\u{2029}' => false,
                _ if char.is_control() => false,
                _ => self.quoted || !char.is_whitespace(),
            };
            if stays {
                self.buffer.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                self.buffer.extend_from_slice(format!("\\u{:04x}", u32::from(char)).as_bytes());
            }
        }
        Ok(())
    }
}

/// The value of a header, as text.
pub(super) fn text(value: &HeaderValue) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(value.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(template: &str, line: &Line<'_>) -> String {
        let mut text = Vec::new();
        LogTemplate::parse(template).expect("a template").append(line, &mut text).expect("written");
        String::from_utf8(text).expect("UTF-8")
    }

    #[test]
    fn a_line_is_written_by_its_template() {
        let line = Line { method: Some("GET"), path: Some("/a"), status: Some(204), ..Line::default() };
        assert_eq!(written("{{{method}}} \"{path}\" {status} {principal}", &line), "{GET} \"/a\" 204 -\n");
        let duration_ms = Some(Duration::from_micros(1500));
        assert_eq!(written("{duration_ms}ms", &Line { duration_ms, ..Line::default() }), "1.5ms\n");
        let ids = Line { trace_id: Some(1), span_id: Some(2), ..Line::default() };
        assert_eq!(written("{trace_id} {span_id}", &ids), format!("{:032x} {:016x}\n", 1, 2));
    }

    #[test]
    fn no_value_ends_its_line_its_quotes_or_its_word() {
        let principal = Some("a b\" 200\n\u{2028}\u{9b}\\");
        let line = Line { principal, ..Line::default() };
        assert_eq!(written("\"{principal}\"", &line), "\"a b\\u0022 200\\u000a\\u2028\\u009b\\u005c\"\n");
        assert_eq!(written("{principal}", &line), "a\\u0020b\\u0022\\u0020200\\u000a\\u2028\\u009b\\u005c\n");
    }

    #[test]
    fn a_wrong_template_says_what_is_known() {
        let unknown = LogTemplate::parse("{ts} {stauts}").expect_err("no field").to_string();
        assert!(unknown.contains("`stauts`") && unknown.contains("status, bytes_in"), "{unknown}");
        for wrong in ["{ts", "ts}", "{}", "{request_headers.}", "{request_headers.a b}", "a\nb", "{ts}\u{0}"] {
            assert!(LogTemplate::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
