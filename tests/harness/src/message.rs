//! HTTP messages as they stood on the wire.

use std::fmt;

/// Header or trailer fields in their order, names as they were sent. Bytes above 127 read as Latin-1.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub(crate) fn parse(lines: &[u8]) -> Self {
        let text: String = lines.iter().map(|&byte| char::from(byte)).collect();
        let line = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
        };
        Self(text.split("\r\n").filter_map(line).collect())
    }

    pub(crate) fn from_map(map: &http::HeaderMap) -> Self {
        let latin = |value: &http::HeaderValue| value.as_bytes().iter().map(|&byte| char::from(byte)).collect();
        Self(map.iter().map(|(name, value)| (name.to_string(), latin(value))).collect())
    }

    pub(crate) fn push(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// The first value under `name`, whatever its case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All values under `name`.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    /// Every field as `(name, value)`.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// A start line and fields.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Head {
    /// The exact bytes, with the empty line; empty for HTTP/2.
    pub bytes: Vec<u8>,
    /// The start line.
    pub line: String,
    /// The fields. Over HTTP/2 the pseudo-headers stand among them.
    pub fields: Fields,
}

impl Head {
    pub(crate) fn parse(bytes: Vec<u8>) -> Self {
        let end = bytes.windows(2).position(|window| window == b"\r\n").unwrap_or(bytes.len());
        let line = bytes[..end].iter().map(|&byte| char::from(byte)).collect();
        let fields = Fields::parse(&bytes[end..]);
        Self { line, fields, bytes }
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Head").field("line", &self.line).field("fields", &self.fields).finish()
    }
}

/// A body's content, what framed it, and how it ended.
#[derive(Debug, Clone, Default)]
pub(crate) struct Content {
    pub(crate) raw: Vec<u8>,
    pub(crate) data: Vec<u8>,
    pub(crate) trailers: Fields,
    pub(crate) complete: bool,
}

/// A request that reached an origin.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Request {
    /// Which of the origin's connections brought it, from 0.
    pub connection: usize,
    /// The start line and headers.
    pub head: Head,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// The body as it came, chunk lines and all.
    pub raw_body: Vec<u8>,
    /// The trailers.
    pub trailers: Fields,
    /// Whether the body came to its proper end.
    pub complete: bool,
}

impl Request {
    /// The method.
    pub fn method(&self) -> &str {
        self.head.line.split(' ').next().unwrap_or_default()
    }

    /// The target, as the start line or `:path` says.
    pub fn target(&self) -> &str {
        self.head.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.fields.get(name)
    }

    pub(crate) fn set_content(&mut self, content: Content) {
        self.body = content.data;
        self.raw_body = content.raw;
        self.trailers = content.trailers;
        self.complete = content.complete;
    }
}

/// A response that reached a client.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Response {
    /// The 1xx responses before it.
    pub interim: Vec<Head>,
    /// The status line and headers.
    pub head: Head,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// The body as it came.
    pub raw_body: Vec<u8>,
    /// The trailers.
    pub trailers: Fields,
    /// Whether the body came to its proper end.
    pub complete: bool,
}

impl Response {
    /// The status, 0 when there is none to read.
    pub fn status(&self) -> u16 {
        self.head.line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.fields.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; a panic shows the response when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Whether it is a problem document (RFC 9457) of this status, with the request's id in header and body.
    pub fn is_problem(&self, status: u16) -> bool {
        self.status() == status
            && self.header("content-type") == Some("application/problem+json")
            && self.json()["status"] == status
            && self.json()["title"].is_string()
            && self.json()["request_id"].as_str() == self.header("x-request-id")
    }

    pub(crate) fn set_content(&mut self, content: Content) {
        self.body = content.data;
        self.raw_body = content.raw;
        self.trailers = content.trailers;
        self.complete = content.complete;
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("connection", &self.connection)
            .field("head", &self.head)
            .field("body", &shown(&self.body))
            .field("trailers", &self.trailers)
            .field("complete", &self.complete)
            .finish()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("interim", &self.interim)
            .field("head", &self.head)
            .field("body", &shown(&self.body))
            .field("trailers", &self.trailers)
            .field("complete", &self.complete)
            .finish()
    }
}

/// The start of a body, as a failing test wants to show it.
fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(500)]).into_owned()
}
