//! A strict reader of responses. It shares no code with the crate, so that it cannot share its faults.

use std::fmt;

/// How the reader found the end of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

/// One response, interim ones included.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) minor_version: u8,
    pub(super) status: u16,
    pub(super) fields: Fields,
    pub(super) framing: Framing,
    pub(super) body: Vec<u8>,
    pub(super) trailers: Fields,
    /// Whether its end has been read. The end of the connection is an end too, by `Framing::UntilClose`.
    pub(super) is_whole: bool,
}

/// Names in lower case, and values.
pub(super) type Fields = Vec<(String, String)>;

impl Message {
    pub(super) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(of, _)| of == name).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minor_version, status, fields, framing, body, trailers, is_whole } = self;
        write!(f, "1.{minor_version} {status} {fields:?} {framing:?}, {} bytes", body.len())?;
        write!(f, ", {trailers:?}, whole: {is_whole}")
    }
}

/// Reads all responses of a connection that has ended. `is_head` says of each final response whether its request was a
/// HEAD. The last message may be cut short: nothing is said of a head that is.
pub(super) fn responses(
    mut bytes: &[u8],
    is_head: impl Fn(usize) -> bool,
) -> Result<(Vec<Message>, &[u8]), String> {
    let (mut messages, mut finals) = (Vec::new(), 0);
    while let Some((message, rest)) = response(bytes, is_head(finals))? {
        bytes = rest;
        let is_last =
            !message.is_whole || matches!(message.framing, Framing::UntilClose) || message.status == 101;
        finals += usize::from(message.status >= 200);
        messages.push(message);
        if is_last {
            break;
        }
    }
    Ok((messages, bytes))
}

/// Reads one response; `None` when not even its head is whole.
fn response(bytes: &[u8], is_head: bool) -> Result<Option<(Message, &[u8])>, String> {
    let Some((head, rest)) = cut(bytes, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(head).map_err(|_| "a head that is no text")?;
    let (status_line, lines) = head.split_once("\r\n").unwrap_or((head, ""));
    let (minor_version, status) = status(status_line)?;
    let fields = fields(lines)?;
    let mut message = Message {
        minor_version,
        status,
        fields,
        framing: Framing::None,
        body: vec![],
        trailers: vec![],
        is_whole: true,
    };
    message.framing = framing(&message, is_head)?;
    let rest = match message.framing {
        Framing::None => rest,
        Framing::Length(length) => {
            message.is_whole = rest.len() >= length;
            let (body, rest) = rest.split_at(length.min(rest.len()));
            message.body = body.to_vec();
            rest
        }
        Framing::UntilClose => {
            message.body = rest.to_vec();
            &[]
        }
        Framing::Chunked => chunks(rest, &mut message)?,
    };
    Ok(Some((message, rest)))
}

/// What stands before the first `end`, and what stands after it.
fn cut<'a>(bytes: &'a [u8], end: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(end.len()).position(|window| window == end)?;
    Some((&bytes[..at], &bytes[at + end.len()..]))
}

fn status(line: &str) -> Result<(u8, u16), String> {
    let wrong = || format!("a status line {line:?}");
    let (version, rest) = line.split_once(' ').ok_or_else(wrong)?;
    let (code, _) = rest.split_once(' ').ok_or_else(wrong)?;
    let minor = match version {
        "HTTP/1.0" => 0,
        "HTTP/1.1" => 1,
        _ => return Err(wrong()),
    };
    match code.parse() {
        Ok(status @ 100..=999) if code.len() == 3 => Ok((minor, status)),
        _ => Err(wrong()),
    }
}

fn fields(lines: &str) -> Result<Fields, String> {
    let mut fields = Vec::new();
    for line in lines.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("a field line {line:?}"))?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_name) || value.contains(['\r', '\n', '\0']) {
            return Err(format!("a field line {line:?}"));
        }
        fields.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    Ok(fields)
}

fn framing(message: &Message, is_head: bool) -> Result<Framing, String> {
    let lengths: Vec<_> = message.values("content-length").collect();
    let codings: Vec<_> = message.values("transfer-encoding").collect();
    let framing = match (&lengths[..], &codings[..]) {
        ([], []) => Framing::UntilClose,
        ([length], []) => Framing::Length(length.parse().map_err(|_| format!("a length {length:?}"))?),
        ([], ["chunked"]) if message.minor_version == 1 => Framing::Chunked,
        _ => return Err(format!("framed by {lengths:?} and {codings:?}")),
    };
    let has_no_body = is_head || message.status < 200 || matches!(message.status, 204 | 304);
    if (message.status < 200 || message.status == 204) && !matches!(framing, Framing::UntilClose) {
        return Err(format!("{} has a framing field", message.status));
    }
    Ok(if has_no_body { Framing::None } else { framing })
}

/// Reads a chunked body and its trailers into the message, and gives the rest.
fn chunks<'a>(mut rest: &'a [u8], message: &mut Message) -> Result<&'a [u8], String> {
    message.is_whole = false;
    loop {
        let Some((size, after)) = cut(rest, b"\r\n") else {
            let is_start = rest.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'\r');
            return if is_start { Ok(&[]) } else { Err(format!("a chunk begins {:?}", text(rest))) };
        };
        let digits =
            std::str::from_utf8(size).ok().filter(|size| size.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let size = digits.and_then(|size| usize::from_str_radix(size, 16).ok());
        let size = size.ok_or_else(|| format!("a chunk begins {:?}", text(rest)))?;
        if size == 0 {
            let trailers = match after.strip_prefix(b"\r\n") {
                Some(rest) => Some((&[][..], rest)),
                None => cut(after, b"\r\n\r\n"),
            };
            let Some((trailers, rest)) = trailers else { return Ok(&[]) };
            message.trailers = fields(std::str::from_utf8(trailers).map_err(|_| "trailers that are no text")?)?;
            message.is_whole = true;
            return Ok(rest);
        }
        message.body.extend_from_slice(&after[..size.min(after.len())]);
        let Some(end) = after.get(size..size + 2) else { return Ok(&[]) };
        if end != b"\r\n" {
            return Err(format!("a chunk of {size} bytes ends {:?}", text(end)));
        }
        rest = &after[size + 2..];
    }
}

fn text(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(60)].escape_ascii().to_string()
}
