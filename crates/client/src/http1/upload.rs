//! A request's body on its way out.

use std::{
    io::{self, Write as _},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{BoxError, Error, ErrorKind, hop_by_hop};
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::io::AsyncWrite;

use super::{encode::Framing, queue::Queue};

/// Frames up to this size are copied behind what is queued; larger ones are written from where they lie.
const COPIED: usize = 8 << 10;

/// So much is gathered of what is there already before it is written.
const GATHERED: usize = 16 << 10;

/// How far a request's body has come.
#[derive(Debug)]
pub(super) struct Upload {
    framing: Framing,
    ended: bool,
    /// The last write could not be finished; until it is, no more is asked of the body.
    held_up: bool,
    /// Whether a frame has been taken, so that the body is not whole any more.
    taken: bool,
}

/// Why a request was not sent to its end.
#[derive(Debug)]
pub(super) enum Broken {
    /// The endpoint takes no more.
    Write(io::Error),
    /// The body failed, or is not of the length that was promised.
    Body(Error),
}

impl Upload {
    pub(super) fn new(framing: Framing) -> Self {
        Self { framing, ended: framing == Framing::Length(0), held_up: false, taken: false }
    }

    pub(super) fn is_taken(&self) -> bool {
        self.taken
    }

    /// Sends what can be sent; ready when all has left.
    pub(super) fn poll<B, W>(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut B,
        queue: &mut Queue,
        stream: &mut W,
    ) -> Poll<Result<(), Broken>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<BoxError>,
        W: AsyncWrite + Unpin,
    {
        loop {
            let mut starved = false;
            while !self.held_up && !self.ended && queue.chunk.is_empty() && queue.bytes.len() < GATHERED {
                match Pin::new(&mut *body).poll_frame(cx) {
                    Poll::Pending => {
                        starved = true;
                        break;
                    }
                    Poll::Ready(None) => self.end(None, queue)?,
                    Poll::Ready(Some(Err(error))) => {
                        return Poll::Ready(Err(Broken::Body(Error::from_body(error))));
                    }
                    Poll::Ready(Some(Ok(frame))) => {
                        self.taken = true;
                        self.take(frame, queue)?;
                        if !self.ended && body.is_end_stream() {
                            self.end(None, queue)?;
                        }
                    }
                }
            }
            let flushed = queue.poll_flush(cx, stream);
            self.held_up = flushed.is_pending();
            ready!(flushed).map_err(Broken::Write)?;
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            if starved {
                return Poll::Pending;
            }
        }
    }

    fn take(&mut self, frame: Frame<Bytes>, queue: &mut Queue) -> Result<(), Broken> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return self.end(frame.into_trailers().ok(), queue),
        };
        if data.is_empty() {
            return Ok(());
        }
        let chunked = match &mut self.framing {
            Framing::Chunked => true,
            Framing::Length(left) => {
                *left = left
                    .checked_sub(data.len() as u64)
                    .ok_or_else(|| wrong_length("the request's body is longer than it should be"))?;
                false
            }
        };
        // What goes beyond the length is none of ours.
        self.ended = self.framing == Framing::Length(0);
        if chunked {
            // To a `Vec` nothing fails to be written.
            _ = write!(queue.bytes, "{:x}\r\n", data.len());
        }
        let tail: &[u8] = if chunked { b"\r\n" } else { b"" };
        if data.len() <= COPIED {
            queue.bytes.extend_from_slice(&data);
            queue.bytes.extend_from_slice(tail);
        } else {
            queue.chunk = data;
            queue.tail = tail;
        }
        Ok(())
    }

    fn end(&mut self, trailers: Option<HeaderMap>, queue: &mut Queue) -> Result<(), Broken> {
        self.ended = true;
        match (self.framing, trailers) {
            (Framing::Length(0), _) => Ok(()),
            (Framing::Length(_), _) => Err(wrong_length("the request's body is shorter than it should be")),
            // No frame is taken while a chunk waits, so that trailers find none.
            (Framing::Chunked, Some(trailers)) => {
                write_trailers(trailers, &mut queue.bytes);
                Ok(())
            }
            (Framing::Chunked, None) if queue.chunk.is_empty() => {
                queue.bytes.extend_from_slice(LAST_CHUNK);
                Ok(())
            }
            (Framing::Chunked, None) => {
                queue.tail = END_OF_CHUNKS;
                Ok(())
            }
        }
    }
}

const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
const END_OF_CHUNKS: &[u8] = b"\r\n0\r\n\r\n";

fn write_trailers(mut trailers: HeaderMap, out: &mut Vec<u8>) {
    hop_by_hop::remove_from_trailers(&mut trailers);
    out.extend_from_slice(b"0\r\n");
    for (name, value) in &trailers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

fn wrong_length(what: &'static str) -> Broken {
    Broken::Body(Error::new(ErrorKind::RequestBody, what))
}
