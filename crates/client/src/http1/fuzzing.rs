//! A door for the project's fuzz targets, to what is private. It is there under `--cfg fuzzing` only, which cargo-fuzz
//! sets, and is no part of the crate.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode};

use super::{
    MAX_HEAD, Malformed,
    chunked::{Chunked, Next},
    lines::Lines,
    parse::{self, Head},
    templates::Templates,
};

/// A response that was read whole, or up to where the stream ends.
#[derive(Debug, PartialEq)]
pub struct Response {
    /// Of its status line.
    pub status: StatusCode,
    /// Its fields, without those that are heard by the connection.
    pub headers: HeaderMap,
    /// The length that it declares.
    pub length: Option<u64>,
    /// Its body so far.
    pub body: Vec<u8>,
    /// The fields after a chunked body.
    pub trailers: Option<HeaderMap>,
}

/// Reads the responses to a row of GET requests off one connection, `piece` bytes at a time. Says what was wrong with
/// the last one.
pub fn responses(stream: &[u8], piece: usize, templates: bool) -> (Vec<Response>, Option<&'static str>) {
    let mut reading = Reading {
        received: BytesMut::new(),
        lines: Lines::new(),
        templates: templates.then(Templates::default),
        body: Body::None,
        responses: Vec::new(),
    };
    for bytes in stream.chunks(piece.max(1)) {
        reading.received.extend_from_slice(bytes);
        if let Err(Malformed(why)) = reading.go_on() {
            return (reading.responses, Some(why));
        }
    }
    (reading.responses, None)
}

enum Body {
    None,
    Length(u64),
    Chunked(Chunked),
    Rest,
}

struct Reading {
    received: BytesMut,
    lines: Lines,
    templates: Option<Templates>,
    body: Body,
    responses: Vec<Response>,
}

impl Reading {
    fn go_on(&mut self) -> Result<(), Malformed> {
        loop {
            let data = match &mut self.body {
                Body::None => match self.take_head()? {
                    Some(head) => {
                        self.begin(head);
                        continue;
                    }
                    None => return Ok(()),
                },
                Body::Length(0) => {
                    self.body = Body::None;
                    continue;
                }
                Body::Length(_) | Body::Rest if self.received.is_empty() => return Ok(()),
                Body::Rest => self.received.split().freeze(),
                Body::Length(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(self.received.len());
                    *left -= taken as u64;
                    self.received.split_to(taken).freeze()
                }
                Body::Chunked(chunked) => match chunked.next(&mut self.received, &mut self.lines)? {
                    Next::Data(data) => data,
                    Next::More(_) => return Ok(()),
                    Next::End => {
                        self.lines.clear();
                        self.body = Body::None;
                        continue;
                    }
                    Next::Trailers(trailers) => {
                        self.lines.clear();
                        self.last().trailers = Some(trailers);
                        self.body = Body::None;
                        continue;
                    }
                },
            };
            self.last().body.extend_from_slice(&data);
        }
    }

    fn take_head(&mut self) -> Result<Option<Head>, Malformed> {
        if self.received.is_empty() {
            return Ok(None);
        }
        if self.lines.is_clear()
            && let Some(head) = self.templates.as_mut().and_then(|templates| templates.take(&mut self.received))
        {
            return head.map(Some);
        }
        let Some(end) = self.lines.find_end(&self.received, MAX_HEAD)? else {
            parse::may_begin(&self.received)?;
            return Ok(None);
        };
        let text: Bytes = self.received.split_to(end).freeze();
        let head = Head::read(&text, &self.lines, HeaderMap::new())?;
        if let Some(templates) = &mut self.templates {
            templates.keep(&text, &self.lines);
        }
        self.lines.clear();
        Ok(Some(head))
    }

    fn begin(&mut self, head: Head) {
        let Head { status, headers, length, chunked, .. } = head;
        let bodiless = matches!(status.as_u16(), 100..=199 | 204 | 304);
        self.body = match length {
            _ if bodiless => Body::None,
            _ if chunked => Body::Chunked(Chunked::new()),
            Some(length) => Body::Length(length),
            None => Body::Rest,
        };
        self.responses.push(Response { status, headers, length, body: Vec::new(), trailers: None });
    }

    fn last(&mut self) -> &mut Response {
        self.responses.last_mut().expect("a body follows a head")
    }
}
