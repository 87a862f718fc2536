//! A strict reader of HTTP/1 messages that shares nothing with the gateway's: it takes CRLF alone, no white space where
//! none belongs, and exactly one framing.

use std::{io, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::content::Check;

/// Reads messages from `R`, in pieces of a size.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    io: R,
    buffer: Vec<u8>,
    room: Vec<u8>,
    read_size: usize,
    slowly: bool,
    reads: u32,
}

/// Why there is no more of a message.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The connection has ended.
    Ended(Option<io::Error>),
    /// The bytes are no HTTP/1.
    Malformed(String),
}

/// A head's first line, and its fields with names in lower case.
#[derive(Debug, Default)]
pub(crate) struct Head {
    pub(crate) line: String,
    pub(crate) fields: Vec<(String, String)>,
}

/// How long a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Known(usize),
    Chunked,
    UntilClose,
}

type Read<T> = Result<T, Fault>;

fn malformed<T>(what: impl Into<String>) -> Read<T> {
    Err(Fault::Malformed(what.into()))
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(crate) fn new(io: R, read_size: usize, slowly: bool) -> Self {
        Self { io, buffer: Vec::new(), room: Vec::new(), read_size, slowly, reads: 0 }
    }

    pub(crate) fn into_inner(self) -> R {
        self.io
    }

    /// Reads once. False when the connection has ended.
    async fn fill(&mut self) -> Read<bool> {
        self.reads += 1;
        // Those that read next to nothing are slow as it is.
        let pause = if self.read_size < 1024 { 512 } else { 8 };
        if self.slowly && self.reads.is_multiple_of(pause) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Into a room of its own: this may be given up while it waits.
        self.room.resize(self.read_size, 0);
        match self.io.read(&mut self.room).await {
            Ok(read) => {
                self.buffer.extend_from_slice(&self.room[..read]);
                Ok(read > 0)
            }
            Err(error) => Err(Fault::Ended(Some(error))),
        }
    }

    async fn more(&mut self) -> Read<()> {
        if self.fill().await? { Ok(()) } else { Err(Fault::Ended(None)) }
    }

    /// A line without its end.
    async fn line(&mut self) -> Read<String> {
        let mut seen = 0;
        let end = loop {
            if let Some(at) = self.buffer[seen..].iter().position(|byte| *byte == b'\n') {
                break seen + at;
            }
            seen = self.buffer.len();
            if seen > 64 << 10 {
                return malformed(format!("no line: {:?}", shown(&self.buffer)));
            }
            self.more().await?;
        };
        let line: Vec<u8> = self.buffer.drain(..=end).collect();
        let Some(line) = line.strip_suffix(b"\r\n") else {
            return malformed(format!("a line without CRLF: {:?}", shown(&line)));
        };
        match std::str::from_utf8(line) {
            Ok(line) if !line.contains(['\r', '\0']) => Ok(line.to_owned()),
            _ => malformed(format!("not a line: {:?}", shown(line))),
        }
    }

    /// The next head; `None` when the connection ends before it.
    pub(crate) async fn head(&mut self) -> Read<Option<Head>> {
        if self.buffer.is_empty() && !self.fill().await? {
            return Ok(None);
        }
        let line = self.line().await?;
        Ok(Some(Head { line, fields: self.fields().await? }))
    }

    async fn fields(&mut self) -> Read<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(fields);
            }
            let Some((name, value)) = line.split_once(':') else {
                return malformed(format!("no field: {line:?}"));
            };
            let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_token) {
                return malformed(format!("no field name: {line:?}"));
            }
            fields.push((name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned()));
        }
    }

    /// Reads a body to its end and returns its trailers. `each` is told after each part.
    pub(crate) async fn body(
        &mut self,
        length: Length,
        check: &mut Check,
        mut each: impl FnMut(&Check),
    ) -> Read<Vec<(String, String)>> {
        match length {
            Length::Known(length) => {
                self.data(length, check, &mut each).await?;
                Ok(Vec::new())
            }
            Length::UntilClose => loop {
                check.take(&self.buffer);
                self.buffer.clear();
                each(check);
                match self.fill().await {
                    Ok(true) => {}
                    Ok(false) => return Ok(Vec::new()),
                    Err(fault) => return Err(fault),
                }
            },
            Length::Chunked => loop {
                let line = self.line().await?;
                let digits =
                    line.len() <= 16 && !line.is_empty() && line.bytes().all(|b| b.is_ascii_hexdigit());
                let Some(size) = usize::from_str_radix(&line, 16).ok().filter(|_| digits) else {
                    let line = shown(line.as_bytes());
                    return malformed(format!("no chunk size after {} bytes: {line:?}", check.received()));
                };
                if size == 0 {
                    return self.fields().await;
                }
                self.data(size, check, &mut each).await?;
                let end = self.line().await?;
                if !end.is_empty() {
                    let end = shown(end.as_bytes());
                    return malformed(format!("no end of a chunk after {} bytes: {end:?}", check.received()));
                }
            },
        }
    }

    async fn data(&mut self, mut left: usize, check: &mut Check, each: &mut impl FnMut(&Check)) -> Read<()> {
        while left > 0 {
            if self.buffer.is_empty() {
                self.more().await?;
            }
            let taken = left.min(self.buffer.len());
            check.take(&self.buffer[..taken]);
            self.buffer.drain(..taken);
            left -= taken;
            each(check);
        }
        Ok(())
    }

    /// Waits for the connection's end; what comes before it is an error.
    pub(crate) async fn end(&mut self) -> Read<()> {
        if self.buffer.is_empty() && !self.fill().await? {
            return Ok(());
        }
        malformed(format!("more after the last response: {:?}", shown(&self.buffer)))
    }
}

/// The start of what was read, to be printed.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned()
}

impl Head {
    /// The only value of a field.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn has_option(&self, name: &str, option: &str) -> bool {
        let values = self.fields.iter().filter(|(known, _)| known == name);
        values.flat_map(|(_, value)| value.split(',')).any(|given| given.trim().eq_ignore_ascii_case(option))
    }

    /// The length that the head declares; `None` when it declares none.
    pub(crate) fn length(&self) -> Read<Option<Length>> {
        let values = |name: &str| -> Vec<&str> {
            self.fields.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
        };
        match (&*values("content-length"), &*values("transfer-encoding")) {
            ([], []) => Ok(None),
            ([], ["chunked"]) => Ok(Some(Length::Chunked)),
            ([length], []) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
                length.parse().map(|length| Some(Length::Known(length))).or_else(|_| malformed(*length))
            }
            (lengths, codings) => malformed(format!("framed by {lengths:?} and {codings:?}")),
        }
    }
}

impl Fault {
    /// Whether it is bytes that are wrong, and not their end.
    pub(crate) fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed(_))
    }
}
