//! The body of a response as it comes in (RFC 9112, section 6.3).

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{Error, ErrorKind};
use gatewright_http1::{BodyLength, BodyReader, Piece, Violation};
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::{
    Connection,
    background_upload::{BackgroundUpload, UploadOutcome},
    malformed,
};

/// The body of a response. It reads its connection. Dropped early, it closes the connection.
pub(crate) struct Incoming<P> {
    /// The bytes that came with the head.
    ready: Bytes,
    trailers: Option<Box<HeaderMap>>,
    connection: Option<Box<Connection<P>>>,
    body: BodyReader,
    reusable: bool,
    remainder: Option<BackgroundUpload<P>>,
    spent: Option<Box<Connection<P>>>,
}

impl<P> Incoming<P> {
    /// Begins with the bytes that came with the head. A body whose beginning breaks the rules is refused.
    pub(super) fn new(
        connection: Box<Connection<P>>,
        body: BodyReader,
        reusable: bool,
        remainder: Option<BackgroundUpload<P>>,
    ) -> Result<Self, Violation> {
        let connection = Some(connection);
        let (ready, trailers) = (Bytes::new(), None);
        let mut incoming = Self { ready, trailers, connection, body, reusable, remainder, spent: None };
        match incoming.next()? {
            Piece::Data(data) => incoming.ready = data,
            Piece::Trailers(trailers) => incoming.trailers = Some(Box::new(trailers)),
            Piece::End | Piece::More(_) => {}
        }
        Ok(incoming)
    }

    /// The body of a response after which the connection is no longer HTTP.
    pub(super) fn empty() -> Self {
        Self {
            ready: Bytes::new(),
            trailers: None,
            connection: None,
            body: BodyReader::new(BodyLength::None),
            reusable: false,
            remainder: None,
            spent: None,
        }
    }

    /// The connection, when the exchange has ended and left nothing behind.
    pub(crate) fn take_spent(&mut self) -> Option<Box<Connection<P>>> {
        self.spent.take()
    }

    /// Takes the next piece of the bytes that were received.
    fn next(&mut self) -> Result<Piece, Violation> {
        let Some(connection) = &mut self.connection else { return Ok(Piece::End) };
        let piece = self.body.next(&mut connection.received, connection.reader.rules())?;
        if self.body.is_ended() {
            self.end();
        }
        Ok(piece)
    }

    /// The response has been read. A request that is still on its way goes on, unless the endpoint closes.
    fn end(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match self.remainder.take() {
            Some(remainder) if self.reusable => remainder.detach(),
            Some(_) => {}
            None if self.reusable && connection.received.is_empty() => self.spent = Some(connection),
            None => {}
        }
    }

    fn fail(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.connection = None;
        self.remainder = None;
        Poll::Ready(Some(Err(error)))
    }

    /// Looks after the task that sends the rest of the request.
    fn poll_remainder(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let Some(remainder) = &mut self.remainder else { return Ok(()) };
        let Poll::Ready(overtaken) = Pin::new(remainder).poll(cx) else { return Ok(()) };
        self.remainder = None;
        let connection = self.connection.take();
        match overtaken? {
            UploadOutcome::Sent(sent) => {
                self.connection = connection.map(|connection| sent.rejoin(*connection))
            }
            UploadOutcome::Unwanted(permit) => {
                self.reusable = false;
                self.connection = connection.map(|mut connection| {
                    connection.permit = permit;
                    connection
                });
            }
        }
        Ok(())
    }
}

impl<P: Send + Unpin + 'static> http_body::Body for Incoming<P> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if !this.ready.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut this.ready)))));
        }
        if let Some(trailers) = this.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(*trailers))));
        }
        if let Err(error) = this.poll_remainder(cx) {
            return this.fail(error);
        }
        loop {
            let left = match this.next() {
                Ok(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Piece::Trailers(trailers)) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                Ok(Piece::End) => return Poll::Ready(None),
                Ok(Piece::More(left)) => left,
                Err(violation) => return this.fail(malformed(violation)),
            };
            let Some(connection) = &mut this.connection else { return Poll::Ready(None) };
            match ready!(connection.poll_read(cx, left)) {
                Ok(0) if this.body.close() => {
                    this.reusable = false;
                    this.end();
                    return Poll::Ready(None);
                }
                Ok(0) => {
                    let why = "the connection was closed before the response's end";
                    return this.fail(Error::new(ErrorKind::Closed, why));
                }
                Ok(_) => {
                    if let Some(remainder) = &this.remainder {
                        remainder.note_received();
                    }
                }
                Err(error) => return this.fail(Error::new(ErrorKind::Closed, error)),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none() && self.ready.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ready = self.ready.len() as u64;
        match self.body.left() {
            // A body with trailers is not sent by its length.
            Some(left) if self.trailers.is_none() => SizeHint::with_exact(ready.saturating_add(left)),
            _ => {
                let mut hint = SizeHint::new();
                hint.set_lower(ready);
                hint
            }
        }
    }
}

impl<P> std::fmt::Debug for Incoming<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("ready", &self.ready.len())
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
