//! A request's body on its way out.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{BoxError, Error, ErrorKind, hop_by_hop};
use gatewright_http1::{BodyWriter, Framing, WriteBuffer, WrongLength};
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::io::AsyncWrite;

/// How far a request's body has come.
#[derive(Debug)]
pub(super) struct Upload {
    writer: BodyWriter,
    ended: bool,
    /// The last write could not be finished. Until it is, the body is not polled.
    held_up: bool,
    /// Whether a frame has been taken. The body is not whole then.
    taken: bool,
}

/// Why a request was not sent to its end.
#[derive(Debug)]
pub(super) enum UploadError {
    /// The endpoint takes no more.
    Write(io::Error),
    /// The body failed, or its length is not the one that was promised.
    Body(Error),
}

impl Upload {
    pub(super) fn new(framing: Framing) -> Self {
        Self {
            writer: BodyWriter::new(framing),
            ended: framing == Framing::Empty,
            held_up: false,
            taken: false,
        }
    }

    pub(super) fn is_taken(&self) -> bool {
        self.taken
    }

    /// Whether the endpoint does not take the bytes that were written last.
    pub(super) fn is_held_up(&self) -> bool {
        self.held_up
    }

    /// Sends as much as the endpoint takes. Ready when all has left.
    pub(super) fn poll<B, W>(
        &mut self,
        cx: &mut Context<'_>,
        body: &mut B,
        out: &mut WriteBuffer,
        stream: &mut W,
    ) -> Poll<Result<(), UploadError>>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<BoxError>,
        W: AsyncWrite + Unpin,
    {
        loop {
            let mut starved = false;
            while !self.held_up && !self.ended && !out.is_full() {
                match Pin::new(&mut *body).poll_frame(cx) {
                    Poll::Pending => {
                        starved = true;
                        break;
                    }
                    Poll::Ready(None) => self.end(None, out)?,
                    Poll::Ready(Some(Err(error))) => {
                        return Poll::Ready(Err(UploadError::Body(Error::from_body(error))));
                    }
                    Poll::Ready(Some(Ok(frame))) => {
                        self.taken = true;
                        self.take(frame, out)?;
                        if !self.ended && body.is_end_stream() {
                            self.end(None, out)?;
                        }
                    }
                }
            }
            let flushed = poll_flush(out, cx, stream);
            self.held_up = flushed.is_pending();
            ready!(flushed).map_err(UploadError::Write)?;
            if self.ended {
                return Poll::Ready(Ok(()));
            }
            if starved {
                return Poll::Pending;
            }
        }
    }

    fn take(&mut self, frame: Frame<Bytes>, out: &mut WriteBuffer) -> Result<(), UploadError> {
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => return self.end(frame.into_trailers().ok(), out),
        };
        self.writer.data(out, data).map_err(wrong_length)?;
        // No end is waited for when no more data can follow.
        self.ended = self.writer.is_complete();
        Ok(())
    }

    fn end(&mut self, trailers: Option<HeaderMap>, out: &mut WriteBuffer) -> Result<(), UploadError> {
        self.ended = true;
        let trailers = trailers.map(|mut trailers| {
            hop_by_hop::remove_from_trailers(&mut trailers);
            trailers
        });
        self.writer.end(out, trailers.as_ref()).map_err(wrong_length)
    }
}

/// Writes until nothing is left.
fn poll_flush<W>(out: &mut WriteBuffer, cx: &mut Context<'_>, stream: &mut W) -> Poll<io::Result<()>>
where
    W: AsyncWrite + Unpin,
{
    ready!(out.poll_write(|slices| {
        let stream = Pin::new(&mut *stream);
        match slices {
            [only] => stream.poll_write(cx, only),
            several => stream.poll_write_vectored(cx, several),
        }
    }))?;
    if out.is_unflushed() {
        ready!(Pin::new(stream).poll_flush(cx))?;
        out.flushed();
    }
    Poll::Ready(Ok(()))
}

fn wrong_length(error: WrongLength) -> UploadError {
    UploadError::Body(Error::new(ErrorKind::RequestBody, error))
}
