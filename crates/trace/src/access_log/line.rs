//! One line of the log, and the JSON of it.

use std::{borrow::Cow, fmt, io, net::IpAddr, time::Duration};

use gatewright_core::{
    Rejection,
    ids::Hex,
    redact::{REDACTED, Redaction},
};
use http::{HeaderName, HeaderValue};
use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::ser::{CompactFormatter, Formatter};

use super::{fields::LogFields, template, timestamp::Timestamp};
use crate::{EndedRequest, Ending, ended::Obstacle};

/// The fields of a line. All is borrowed, so that a line costs no allocation.
#[derive(Serialize, Default)]
pub(crate) struct Line<'a> {
    pub(crate) ts: Ago,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hex")]
    pub(crate) trace_id: Option<u128>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "hex_of_span")]
    pub(crate) span_id: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) query: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) upstream: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_out: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "milliseconds")]
    pub(crate) duration_ms: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "milliseconds")]
    pub(crate) upstream_ms: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) principal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) credential: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rejection: Option<Obstacle<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) would_reject: Option<Obstacle<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) closed_by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request_headers: Option<Headers<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_headers: Option<Headers<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<&'a str>,
}

impl<'a> Line<'a> {
    /// The line of a request that has ended.
    pub(super) fn of(request: &EndedRequest<'a>) -> Self {
        let principal = request.principal();
        let refusal = |refusal: &'a Rejection| Obstacle { by: refusal.policy(), reason: refusal.reason() };
        Self {
            ts: Ago(request.duration()),
            request_id: request.request_id().and_then(|id| id.to_str().ok()),
            trace_id: request.span().map(|span| span.trace_id()),
            span_id: request.span().map(|span| span.span_id()),
            client: request.client(),
            method: Some(request.method().as_str()),
            host: request.host(),
            path: Some(request.path()),
            route: request.route().map(|route| route.as_str()),
            upstream: request.upstream().map(|upstream| upstream.as_str()),
            endpoint: request.endpoint().map(|endpoint| endpoint.as_str()),
            status: request.logged_status(),
            bytes_in: Some(request.bytes_in()),
            bytes_out: Some(request.bytes_out()),
            duration_ms: Some(request.duration()),
            upstream_ms: request.upstream_time(),
            principal: principal.map(|principal| principal.id()),
            credential: principal.and_then(|principal| principal.credential()),
            rejection: request.obstacle(),
            would_reject: request.would_reject().map(refusal),
            closed_by: request.closed_by(),
            query: None,
            request_headers: None,
            response_headers: None,
            event: None,
        }
    }

    /// The same with what was asked for beside the usual fields.
    pub(super) fn with(mut self, request: &EndedRequest<'a>, fields: &'a LogFields) -> Self {
        let headers = |kept| Headers { kept, redaction: &fields.redaction };
        self.query = request.query().filter(|_| fields.query).map(|query| fields.redaction.query(query));
        self.request_headers = request.request_headers().filter(|kept| !kept.is_empty()).map(headers);
        self.response_headers = request.response_headers().filter(|kept| !kept.is_empty()).map(headers);
        if request.ending() == Ending::Open {
            self.event = Some("start");
            (self.bytes_in, self.bytes_out, self.duration_ms) = (None, None, None);
        }
        self
    }

    /// Appends the line and its newline.
    pub(super) fn append_to(&self, buffer: &mut Vec<u8>) -> io::Result<()> {
        self.serialize(&mut serde_json::Serializer::with_formatter(&mut *buffer, Printable))?;
        buffer.push(b'\n');
        Ok(())
    }
}

/// Headers that were kept, without their secrets.
#[derive(Clone, Copy)]
pub(crate) struct Headers<'a> {
    kept: &'a [(HeaderName, HeaderValue)],
    redaction: &'a Redaction,
}

impl<'a> Headers<'a> {
    /// The values of the lines with this name.
    pub(super) fn of(self, name: &HeaderName) -> impl Iterator<Item = Cow<'a, str>> {
        let lines = self.kept.iter().filter(move |(kept, _)| kept == name);
        lines.map(move |(name, value)| match self.redaction.hides_header(name) {
            true => Cow::Borrowed(REDACTED),
            false => template::text(value),
        })
    }
}

/// A map from names to values. Several lines of one name are one value, with commas between (RFC 9110, section 5.3).
impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut last = None;
        for (name, _) in self.kept.iter().filter(|(name, _)| last.replace(name) != Some(name)) {
            let mut values = self.of(name);
            let first = values.next().unwrap_or_default();
            let value = values.fold(first, |all, more| Cow::Owned(format!("{all}, {more}")));
            map.serialize_entry(name.as_str(), &value)?;
        }
        map.end()
    }
}

/// How long ago the request began.
#[derive(Default)]
pub(crate) struct Ago(pub(crate) Duration);

impl Ago {
    pub(super) fn timestamp(&self) -> Timestamp {
        Timestamp::of(self.0)
    }
}

impl Serialize for Ago {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.timestamp().serialize(serializer)
    }
}

impl fmt::Display for Obstacle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.by, self.reason)
    }
}

impl Serialize for Obstacle<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn hex<S: Serializer>(id: &Option<u128>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(Hex::<32>::new(id.unwrap_or_default()).as_str())
}

fn hex_of_span<S: Serializer>(id: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(Hex::<16>::new(id.unwrap_or_default().into()).as_str())
}

/// Milliseconds with microseconds behind the point.
fn milliseconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let microseconds = u64::try_from(time.unwrap_or_default().as_micros()).unwrap_or(u64::MAX);
    serializer.serialize_f64(microseconds as f64 / 1000.0)
}

/// JSON without any control character. JSON lets DEL, the C1 controls and the Unicode line separators stand in a
/// string as they are, but terminals obey some of them and some tools end a line at others.
pub(crate) struct Printable;

impl Formatter for Printable {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if is_plain(fragment.as_bytes()) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')) {
            let (plain, from) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut following = from.chars();
            if let Some(control) = following.next() {
                write!(writer, "\\u{:04x}", u32::from(control))?;
            }
            rest = following.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Whether all is ASCII and no DEL. It looks at eight bytes at once, since every text of a line passes here.
fn is_plain(text: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (eights, rest) = text.as_chunks::<8>();
    let plain = |eight: &[u8; 8]| {
        let bytes = u64::from_ne_bytes(*eight);
        // Adding one carries DEL into the high bit. A carry out of a byte comes of 0xff, which has the high bit itself.
        (bytes | bytes.wrapping_add(ONES)) & HIGH == 0
    };
    eights.iter().all(plain) && rest.iter().all(|byte| *byte < 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_values_are_left_out() {
        let mut text = Vec::new();
        Line { status: Some(204), ..Line::default() }.append_to(&mut text).expect("written");
        let line: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(line.as_object().expect("an object").keys().collect::<Vec<_>>(), ["status", "ts"]);
    }

    #[test]
    fn a_line_is_one_line_of_printable_text_and_says_what_was_sent() {
        let paths = [
            "/a\nb\r{\"status\":200}",
            "/\u{0}\u{1b}[31m\u{7f}",
            "/c1\u{9b}31m\u{85}next",
            "/\u{2028}\u{2029}",
            "/\"\\/",
            "/\u{202e}\u{fffd}\u{1f980}é",
        ];
        for path in paths {
            let mut text = Vec::new();
            Line { path: Some(path), ..Line::default() }.append_to(&mut text).expect("written");
            let text = String::from_utf8(text).expect("UTF-8");
            let line = text.strip_suffix('\n').expect("a newline ends it");
            assert!(!line.contains(|c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}'), "{line:?}");
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(line["path"], path);
        }
    }

    #[test]
    fn plain_text_is_told_wherever_the_other_byte_stands() {
        for length in 0..20 {
            let text = vec![b'~'; length];
            assert!(is_plain(&text), "{length}");
            for at in 0..length {
                for other in 0x7f..=0xff {
                    let mut text = text.clone();
                    text[at] = other;
                    assert!(!is_plain(&text), "{other:#x} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn times_are_milliseconds_with_a_fraction() {
        let mut text = Vec::new();
        let duration_ms = Some(Duration::from_nanos(1_234_999));
        Line { duration_ms, ..Line::default() }.append_to(&mut text).expect("written");
        assert!(String::from_utf8_lossy(&text).contains("\"duration_ms\":1.234"));
    }
}
