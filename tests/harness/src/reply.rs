//! What an origin answers, over HTTP/1.1 or HTTP/2.

use bytes::Bytes;

/// A response to give: 200 without a body unless told otherwise.
#[derive(Debug, Clone)]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) ending: Ending,
}

/// What happens after the last chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Clean,
    Hang,
    Reset(u32),
}

impl Reply {
    /// A response of this status.
    pub fn new(status: u16) -> Self {
        Self { status, fields: vec![], chunks: vec![], trailers: vec![], ending: Ending::Clean }
    }

    /// A 200 with this body.
    pub fn text(body: impl Into<Bytes>) -> Self {
        Self::new(200).chunk(body)
    }

    /// Adds a header.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds a piece of the body. Over HTTP/1.1 several pieces, or trailers, make it chunked.
    #[must_use]
    pub fn chunk(mut self, data: impl Into<Bytes>) -> Self {
        self.chunks.push(data.into());
        self
    }

    /// Adds a trailer.
    #[must_use]
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        self.trailers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says nothing more after the last chunk. HTTP/2 only.
    #[must_use]
    pub fn then_hang(mut self) -> Self {
        self.ending = Ending::Hang;
        self
    }

    /// Resets the stream with this code after the last chunk. HTTP/2 only.
    #[must_use]
    pub fn then_reset(mut self, code: u32) -> Self {
        self.ending = Ending::Reset(code);
        self
    }

    /// The response as HTTP/1.1 writes it.
    pub fn to_h1(&self) -> Vec<u8> {
        let mut bytes = format!("HTTP/1.1 {} Reply\r\n", self.status).into_bytes();
        let mut line = |name: &str, value: &str| bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        self.fields.iter().for_each(|(name, value)| line(name, value));
        if self.trailers.is_empty() && self.chunks.len() < 2 {
            let body = self.chunks.first().cloned().unwrap_or_default();
            if !matches!(self.status, 100..=199 | 204 | 304) {
                line("content-length", &body.len().to_string());
            }
            bytes.extend(b"\r\n");
            bytes.extend(body);
            return bytes;
        }
        line("transfer-encoding", "chunked");
        self.trailers.iter().for_each(|(name, _)| line("trailer", name));
        bytes.extend(b"\r\n");
        for chunk in &self.chunks {
            bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            bytes.extend(chunk);
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"0\r\n");
        for (name, value) in &self.trailers {
            bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes
    }
}
