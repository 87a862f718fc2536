//! A response's body as it comes in (RFC 9112, section 6.3).

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{Error, ErrorKind};
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::{
    Connection, Malformed,
    chunked::{Chunked, Next},
    overtaken::{Overtaken, Remainder},
};

/// Where a response's body ends.
#[derive(Debug)]
pub(super) enum Framing {
    /// After so many bytes more.
    Length(u64),
    Chunked(Chunked),
    /// Where the connection does.
    Close,
}

impl Framing {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunked::new())
    }
}

/// A response's body, which reads its connection. Dropped early, it closes the connection.
pub(crate) struct Incoming<P> {
    /// What came with the head.
    ready: Bytes,
    trailers: Option<Box<HeaderMap>>,
    connection: Option<Box<Connection<P>>>,
    framing: Framing,
    reusable: bool,
    remainder: Option<Remainder<P>>,
    spent: Option<Box<Connection<P>>>,
}

impl<P> Incoming<P> {
    /// Begins with what was received with the head. A body that breaks the rules there is refused with it.
    pub(super) fn new(
        connection: Box<Connection<P>>,
        framing: Framing,
        reusable: bool,
        remainder: Option<Remainder<P>>,
    ) -> Result<Self, Malformed> {
        let connection = Some(connection);
        let (ready, trailers) = (Bytes::new(), None);
        let mut body = Self { ready, trailers, connection, framing, reusable, remainder, spent: None };
        match body.next()? {
            Next::Data(data) => body.ready = data,
            Next::Trailers(trailers) => {
                body.trailers = Some(Box::new(trailers));
                body.end();
            }
            Next::End => body.end(),
            Next::More(_) => {}
        }
        Ok(body)
    }

    /// The body of a response after which the connection is no longer HTTP.
    pub(super) fn empty() -> Self {
        Self {
            ready: Bytes::new(),
            trailers: None,
            connection: None,
            framing: Framing::Length(0),
            reusable: false,
            remainder: None,
            spent: None,
        }
    }

    /// The connection, when the exchange has ended and left nothing behind.
    pub(crate) fn take_spent(&mut self) -> Option<Box<Connection<P>>> {
        self.spent.take()
    }

    /// Takes what comes next from what was received.
    fn next(&mut self) -> Result<Next, Malformed> {
        let Some(connection) = &mut self.connection else { return Ok(Next::End) };
        let received = &mut connection.received;
        let next = match &mut self.framing {
            Framing::Chunked(chunked) => {
                let next = chunked.next(received, &mut connection.lines)?;
                if matches!(next, Next::Data(_)) && chunked.try_end(received) {
                    self.end();
                }
                return Ok(next);
            }
            Framing::Length(0) => Next::End,
            Framing::Length(left) if received.is_empty() => Next::More(*left),
            Framing::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(received.len());
                *left -= taken as u64;
                let data = received.split_to(taken).freeze();
                if *left == 0 {
                    self.end();
                }
                Next::Data(data)
            }
            Framing::Close if received.is_empty() => Next::More(u64::MAX),
            Framing::Close => Next::Data(received.split().freeze()),
        };
        Ok(next)
    }

    /// Everything has been read. A request that still is on its way goes on, unless the endpoint closes.
    fn end(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        match self.remainder.take() {
            Some(remainder) if self.reusable => remainder.detach(),
            Some(_) => {}
            None if self.reusable && connection.received.is_empty() => self.spent = Some(connection),
            None => {}
        }
    }

    fn fail(&mut self, error: impl Into<Error>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.connection = None;
        self.remainder = None;
        Poll::Ready(Some(Err(error.into())))
    }

    /// Sees to the task that sends the rest of the request.
    fn poll_remainder(&mut self, cx: &mut Context<'_>) -> Result<(), Error> {
        let Some(remainder) = &mut self.remainder else { return Ok(()) };
        let Poll::Ready(overtaken) = Pin::new(remainder).poll(cx) else { return Ok(()) };
        self.remainder = None;
        let connection = self.connection.take();
        match overtaken? {
            Overtaken::Sent(sent) => self.connection = connection.map(|connection| sent.rejoin(*connection)),
            Overtaken::Unwanted(place) => {
                self.reusable = false;
                self.connection = connection.map(|mut connection| {
                    connection.place = place;
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
                Ok(Next::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Next::Trailers(trailers)) => {
                    this.end();
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(Next::End) => {
                    this.end();
                    return Poll::Ready(None);
                }
                Ok(Next::More(left)) => left,
                Err(malformed) => return this.fail(malformed),
            };
            let Some(connection) = &mut this.connection else { return Poll::Ready(None) };
            match ready!(connection.poll_read(cx, left)) {
                Ok(0) if matches!(this.framing, Framing::Close) => {
                    this.reusable = false;
                    this.end();
                    return Poll::Ready(None);
                }
                Ok(0) => {
                    let why = "the connection was closed before the response's end";
                    return this.fail(Error::new(ErrorKind::Closed, why));
                }
                Ok(_) => {}
                Err(error) => return this.fail(Error::new(ErrorKind::Closed, error)),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.connection.is_none() && self.ready.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let ready = self.ready.len() as u64;
        match self.framing {
            Framing::Length(left) => SizeHint::with_exact(ready.saturating_add(left)),
            _ if self.connection.is_none() && ready == 0 => SizeHint::with_exact(0),
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
            .field("framing", &self.framing)
            .finish_non_exhaustive()
    }
}
