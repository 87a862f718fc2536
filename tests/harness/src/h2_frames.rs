//! HTTP/2 frame by frame (RFC 9113), for what a well-behaved client cannot say.

use std::{io, net::SocketAddr, sync::Arc};

use rustls::ClientConfig;

use crate::{RawClient, within};

/// Frame types (RFC 9113, section 6).
#[allow(missing_docs, reason = "the names are the RFC's")]
pub mod kind {
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Frame flags (RFC 9113, section 6).
#[allow(missing_docs, reason = "the names are the RFC's")]
pub mod flag {
    pub const NONE: u8 = 0;
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
}

/// A frame.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Frame {
    /// Its type, one of [`kind`].
    pub kind: u8,
    /// Its flags, of [`flag`].
    pub flags: u8,
    /// Its stream.
    pub stream: u32,
    /// What it carries.
    pub payload: Vec<u8>,
}

/// How a stream went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A response of this status.
    Status(u16),
    /// RST_STREAM with this code.
    Reset(u32),
    /// GOAWAY with this code.
    GoAway(u32),
    /// The connection closed without a word.
    Closed,
}

/// An HTTP/2 connection on which any frame can be sent. Its opening is done: preface and empty SETTINGS.
#[derive(Debug)]
pub struct RawH2Client {
    client: RawClient,
    buffer: Vec<u8>,
}

impl RawH2Client {
    /// Connects without TLS, by prior knowledge.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(RawClient::connect(address).await).await
    }

    /// Connects with TLS; `config` should offer `h2`.
    pub async fn connect_tls(address: SocketAddr, config: Arc<ClientConfig>, name: &str) -> io::Result<Self> {
        Ok(Self::over(RawClient::connect_tls(address, config, name).await?).await)
    }

    async fn over(mut client: RawClient) -> Self {
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let mut this = Self { client, buffer: Vec::new() };
        let _ = this.send(kind::SETTINGS, flag::NONE, 0, &[]).await;
        this
    }

    /// Sends a frame.
    pub async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        self.send_bytes(&encode(kind, flags, stream, payload)).await
    }

    /// Sends bytes, of many frames at once say.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.client.try_send(bytes).await
    }

    /// Sends a whole HEADERS frame of these fields, pseudo-headers too, whatever their bytes.
    pub async fn headers(&mut self, stream: u32, fields: &[(&[u8], &[u8])], end: bool) -> io::Result<()> {
        let flags = flag::END_HEADERS | if end { flag::END_STREAM } else { flag::NONE };
        self.send(kind::HEADERS, flags, stream, &block(fields)).await
    }

    /// The next frame, or `None` when the connection has ended.
    pub async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.take_frame() {
                return Some(frame);
            }
            match self.client.read().await {
                Ok(bytes) if !bytes.is_empty() => self.buffer.extend(bytes),
                _ => return None,
            }
        }
    }

    fn take_frame(&mut self) -> Option<Frame> {
        let header: [u8; 9] = self.buffer.get(..9)?.try_into().ok()?;
        let length = usize::from(header[0]) << 16 | usize::from(header[1]) << 8 | usize::from(header[2]);
        let payload = self.buffer.get(9..9 + length)?.to_vec();
        self.buffer.drain(..9 + length);
        let stream = u32::from_be_bytes([header[5] & 0x7f, header[6], header[7], header[8]]);
        Some(Frame { kind: header[3], flags: header[4], stream, payload })
    }

    /// Reads on, acknowledging SETTINGS, until `stream` is answered or the connection is.
    pub async fn outcome(&mut self, stream: u32) -> Outcome {
        within("an outcome", async {
            while let Some(frame) = self.frame().await {
                match frame.kind {
                    kind::SETTINGS if frame.flags & flag::ACK == 0 => {
                        let _ = self.send(kind::SETTINGS, flag::ACK, 0, &[]).await;
                    }
                    kind::HEADERS if frame.stream == stream => match status(&frame.payload) {
                        Some(100..=199) => {}
                        status => return Outcome::Status(status.unwrap_or_default()),
                    },
                    kind::RST_STREAM if frame.stream == stream => return Outcome::Reset(code(&frame.payload)),
                    // Code 0 says that streams begun before it still count.
                    kind::GOAWAY if code(&frame.payload[4..]) != 0 => {
                        return Outcome::GoAway(code(&frame.payload[4..]));
                    }
                    _ => {}
                }
            }
            Outcome::Closed
        })
        .await
    }
}

impl Frame {
    /// A frame's bytes.
    pub fn encode(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        encode(kind, flags, stream, payload)
    }

    /// A field block of these fields, each a literal never indexed (RFC 7541, section 6.2.3).
    pub fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
        block(fields)
    }

    /// The error code of a RST_STREAM or GOAWAY.
    pub fn code(&self) -> Option<u32> {
        match self.kind {
            kind::RST_STREAM => Some(code(&self.payload)),
            kind::GOAWAY => Some(code(&self.payload[4..])),
            _ => None,
        }
    }
}

fn encode(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0x10);
        string(&mut bytes, name);
        string(&mut bytes, value);
    }
    bytes
}

/// A string without Huffman coding (RFC 7541, section 5.2).
fn string(bytes: &mut Vec<u8>, text: &[u8]) {
    let mut rest = text.len();
    if rest < 127 {
        bytes.push(rest as u8);
    } else {
        bytes.push(127);
        rest -= 127;
        while rest >= 128 {
            bytes.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        bytes.push(rest as u8);
    }
    bytes.extend(text);
}

fn code(payload: &[u8]) -> u32 {
    payload.get(..4).and_then(|bytes| bytes.try_into().ok()).map_or(u32::MAX, u32::from_be_bytes)
}

/// The status that opens a response's field block. It must not refer to the dynamic table: one response a connection.
fn status(block: &[u8]) -> Option<u16> {
    const STATIC: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
    let mut block = block;
    // Changes of the table's size come first (RFC 7541, section 6.3).
    while block.first()? & 0xe0 == 0x20 {
        let long = block[0] & 0x1f == 0x1f;
        let length = if long { 2 + block[1..].iter().take_while(|byte| **byte & 0x80 != 0).count() } else { 1 };
        block = block.get(length..)?;
    }
    match *block.first()? {
        indexed @ 0x88..=0x8e => Some(STATIC[usize::from(indexed - 0x88)]),
        // A literal under the static name `:status`, at index 8 to 14.
        0x48..=0x4e | 0x08..=0x0e | 0x18..=0x1e => {
            let length = *block.get(1)?;
            let value = block.get(2..2 + usize::from(length & 0x7f))?;
            let digits = if length & 0x80 == 0 { value.to_vec() } else { huffman_digits(value)? };
            std::str::from_utf8(&digits).ok()?.parse().ok()
        }
        _ => None,
    }
}

/// Three digits in the code of RFC 7541, appendix B: 0 to 2 take five bits, 3 to 9 six.
fn huffman_digits(value: &[u8]) -> Option<Vec<u8>> {
    let bits: Vec<u8> = value.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let number = |bits: &[u8]| bits.iter().fold(0, |number, bit| number << 1 | bit);
    let (mut digits, mut at) = (Vec::new(), 0);
    while digits.len() < 3 {
        match number(bits.get(at..at + 5)?) {
            short @ 0..=2 => {
                digits.push(b'0' + short);
                at += 5;
            }
            _ => {
                digits.push(b'0' + number(bits.get(at..at + 6)?).checked_sub(0b01_1001)? + 3);
                at += 6;
            }
        }
    }
    Some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_in_each_form() {
        assert_eq!(status(&[0x88]), Some(200));
        assert_eq!(status(&[0x20, 0x8c]), Some(400));
        assert_eq!(status(&[0x3f, 0xe1, 0x1f, 0x8d]), Some(404));
        assert_eq!(status(b"\x48\x03502"), Some(502));
        // RFC 7541, appendix C.6.1: 302 is 64 02, C.6.2: 307 is 64 0e ff.
        assert_eq!(status(&[0x48, 0x82, 0x64, 0x02]), Some(302));
        assert_eq!(status(&[0x48, 0x83, 0x64, 0x0e, 0xff]), Some(307));
    }
}
