//! Reads HTTP/1.1 messages and forgets no byte.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{Fields, Head, Socket, message::Content};

/// How a body ends (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClose,
}

impl Framing {
    pub(crate) fn of_request(fields: &Fields) -> Self {
        match Self::stated(fields) {
            Self::UntilClose => Self::None,
            framing => framing,
        }
    }

    pub(crate) fn of_response(method: &str, status: u16, fields: &Fields) -> Self {
        match status {
            100..=199 | 204 | 304 => Self::None,
            _ if method == "HEAD" => Self::None,
            _ => Self::stated(fields),
        }
    }

    fn stated(fields: &Fields) -> Self {
        if fields.get("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            return Self::Chunked;
        }
        match fields.get("content-length").and_then(|length| length.parse().ok()) {
            Some(length) => Self::Length(length),
            None => Self::UntilClose,
        }
    }
}

/// A socket and what was read from it but not yet taken.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) socket: Socket,
    buffer: Vec<u8>,
}

impl Reader {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket, buffer: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await?;
        self.socket.flush().await
    }

    /// The next head, or `None` when the peer closed before its first byte.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Head>> {
        let mut searched = 0;
        loop {
            if let Some(at) = find(&self.buffer[searched..], b"\r\n\r\n") {
                return Ok(Some(Head::parse(self.take(searched + at + 4))));
            }
            searched = self.buffer.len().saturating_sub(3);
            if self.fill().await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// Reads a body into `content`, which keeps what came even when the end did not.
    pub(crate) async fn body(&mut self, framing: Framing, content: &mut Content) -> io::Result<()> {
        match framing {
            Framing::None => {}
            Framing::Length(length) => {
                self.exactly(length, content).await?;
            }
            Framing::UntilClose => while self.some(usize::MAX, content).await? > 0 {},
            Framing::Chunked => self.chunks(content).await?,
        }
        content.complete = true;
        Ok(())
    }

    async fn chunks(&mut self, content: &mut Content) -> io::Result<()> {
        loop {
            let line = self.line(content).await?;
            let digits = line.split(|byte| *byte == b';' || *byte == b'\r').next().unwrap_or_default();
            let digits = std::str::from_utf8(digits).map_err(|_| io::ErrorKind::InvalidData)?;
            let size = usize::from_str_radix(digits, 16).map_err(|_| io::ErrorKind::InvalidData)?;
            if size == 0 {
                break;
            }
            self.exactly(size, content).await?;
            if self.line(content).await? != b"\r\n" {
                return Err(io::ErrorKind::InvalidData.into());
            }
        }
        let mut lines = Vec::new();
        loop {
            let line = self.line(content).await?;
            if line == b"\r\n" {
                content.trailers = Fields::parse(&lines);
                return Ok(());
            }
            lines.extend(line);
        }
    }

    async fn exactly(&mut self, mut length: usize, content: &mut Content) -> io::Result<()> {
        while length > 0 {
            match self.some(length, content).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => length -= count,
            }
        }
        Ok(())
    }

    async fn some(&mut self, limit: usize, content: &mut Content) -> io::Result<usize> {
        if self.buffer.is_empty() && self.fill().await? == 0 {
            return Ok(0);
        }
        let data = self.take(limit.min(self.buffer.len()));
        content.raw.extend_from_slice(&data);
        content.data.extend_from_slice(&data);
        Ok(data.len())
    }

    async fn line(&mut self, content: &mut Content) -> io::Result<Vec<u8>> {
        loop {
            if let Some(at) = find(&self.buffer, b"\r\n") {
                let line = self.take(at + 2);
                content.raw.extend_from_slice(&line);
                return Ok(line);
            }
            if self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// What is buffered, or the next bytes of the socket; empty at the end.
    pub(crate) async fn next(&mut self) -> io::Result<Vec<u8>> {
        if self.buffer.is_empty() {
            self.fill().await?;
        }
        Ok(std::mem::take(&mut self.buffer))
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(count);
        std::mem::replace(&mut self.buffer, rest)
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.socket.read_buf(&mut self.buffer).await
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
