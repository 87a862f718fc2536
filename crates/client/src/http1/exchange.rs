//! One request, until the head of its response has come.
//!
//! 1. An exchange goes from `New` to `Sending` to `Sent`, and never back. It goes to `Unwanted` when the endpoint takes no
//!    more of the request, and reads on, since the endpoint may have answered before.
//! 2. The head of the request is written once, and only on a connection on which nothing has come unasked.
//! 3. The request is kept until the response begins or a frame of its body has left, so that it can be given back. A
//!    request is given back only when nothing of its body is gone.
//! 4. The future ends once. From then on the exchange holds no connection: the connection went to the response, or it is
//!    closed.
//! 5. A connection is used again only when the whole request has left it. Otherwise a task sends the rest, or the
//!    connection ends with the response.

use std::{
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::{BoxError, Error, ErrorKind, InterimResponder, OnUpgrade, Upgraded, hop_by_hop};
use gatewright_http1::{BodyReader, ResponseHead, write_request_head};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use tokio::task::coop::unconstrained;

use super::{
    Connection, Incoming, MAX_INTERIM, STALL_TIMEOUT,
    background_upload::BackgroundUpload,
    malformed,
    upgraded::Tunnel,
    upload::{Upload, UploadError},
};
use crate::{response_timer::ResponseTimer, send_error::SendError};

/// A request on its way. Dropped, it closes the connection.
pub(crate) struct Exchange<B, P> {
    connection: Option<Box<Connection<P>>>,
    /// Kept until the response begins, or until the body has left. A request that is whole and unanswered when its
    /// connection closes is given back.
    request: Option<Request<B>>,
    stage: Stage,
    interim: Option<InterimResponder>,
    interim_seen: u8,
    bodiless: bool,
    reusable: bool,
    /// How long an endpoint that has answered may take nothing of the rest of the request.
    stall_timeout: Duration,
    /// Memory for the fields of the response. The fields of the request were in it before.
    headers: HeaderMap,
}

enum Stage {
    New,
    Sending(Upload),
    Sent,
    /// The endpoint takes no more of the request. It may have answered before.
    Unwanted(io::Error),
}

impl<B, P> Exchange<B, P> {
    /// 103 responses go to `interim`.
    pub(crate) fn new(
        connection: Box<Connection<P>>,
        request: Request<B>,
        interim: Option<InterimResponder>,
    ) -> Self {
        Self {
            connection: Some(connection),
            bodiless: *request.method() == Method::HEAD,
            reusable: true,
            request: Some(request),
            stage: Stage::New,
            interim,
            interim_seen: 0,
            stall_timeout: STALL_TIMEOUT,
            headers: HeaderMap::new(),
        }
    }

    /// How long an endpoint that has answered may take nothing of the rest of the request. 60 s unless set.
    pub(crate) fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.stall_timeout = timeout;
        self
    }

    /// The connection's timer, until the head of the response has come.
    pub(crate) fn timer(&mut self) -> Option<&mut ResponseTimer> {
        self.connection.as_mut().map(|connection| &mut connection.timer)
    }
}

impl<B, P> Future for Exchange<B, P>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
    P: Send + Unpin + 'static,
{
    type Output = Result<Response<Incoming<P>>, SendError<B>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Err(failure) = this.poll_request(cx) {
            this.connection = None;
            return Poll::Ready(Err(failure));
        }
        let outcome = match this.poll_head(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(head)) => this.respond(head).map_err(SendError::new),
            Poll::Ready(Err(error)) if error.is_unanswered() => Err(this.unanswered(error)),
            Poll::Ready(Err(error)) => Err(SendError::new(error)),
        };
        this.connection = None;
        Poll::Ready(outcome)
    }
}

impl<B, P> Exchange<B, P>
where
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
    P: Send + Unpin + 'static,
{
    /// Sends as much of the request as the endpoint takes.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Result<(), SendError<B>> {
        let connection = self.connection.as_mut().expect("a future is not polled after it has completed");
        let Some(request) = &mut self.request else { return Ok(()) };
        if let Stage::New = self.stage {
            if !connection.is_quiet_now() {
                let why = "the endpoint had closed the connection, or sent what nobody asked for";
                return Err(self.unsent(Error::new(ErrorKind::Closed, why)));
            }
            connection.out.clear();
            let body = request.body();
            let size = if body.is_end_stream() { Some(0) } else { body.size_hint().exact() };
            let (framing, closes) = write_request_head(request, size, &mut connection.out);
            self.reusable = !closes;
            self.stage = Stage::Sending(Upload::new(framing));
        }
        let Stage::Sending(upload) = &mut self.stage else { return Ok(()) };
        let Connection { out, stream, .. } = &mut **connection;
        match upload.poll(cx, request.body_mut(), out, stream) {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                if upload.is_taken() {
                    self.headers = self.request.take().map(emptied).unwrap_or_default();
                }
                self.stage = Stage::Sent;
            }
            Poll::Ready(Err(UploadError::Body(error))) => return Err(SendError::new(error)),
            Poll::Ready(Err(UploadError::Write(error))) => {
                if !out.has_moved() && !upload.is_taken() {
                    return Err(self.unsent(Error::new(ErrorKind::Closed, error)));
                }
                if upload.is_taken() {
                    self.headers = self.request.take().map(emptied).unwrap_or_default();
                }
                self.stage = Stage::Unwanted(error);
            }
        }
        Ok(())
    }

    fn unsent(&mut self, error: Error) -> SendError<B> {
        SendError::unsent(error, self.request.take())
    }

    /// Gives the request back unless some of its body is gone.
    fn unanswered(&mut self, error: Error) -> SendError<B> {
        let whole = match &self.stage {
            Stage::Sending(upload) => !upload.is_taken(),
            // A body that has been asked for its end is not asked again.
            _ => self.request.as_ref().is_some_and(|request| request.body().is_end_stream()),
        };
        SendError::unanswered(error, self.request.take().filter(|_| whole))
    }

    /// Reads up to the head of the final response.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<ResponseHead, Error>> {
        loop {
            if let Some(head) = self.take_head()? {
                return Poll::Ready(Ok(head));
            }
            let connection = self.connection.as_mut().expect("the request was sent on it");
            // A long upload uses up the task's budget, and must not hide the answer that has come meanwhile.
            let read = match self.stage {
                Stage::Sending(_) => {
                    let read = unconstrained(poll_fn(|cx| connection.poll_read(cx, 0)));
                    ready!(pin!(read).poll(cx))
                }
                _ => ready!(connection.poll_read(cx, 0)),
            };
            let cause = match read {
                Ok(1..) => continue,
                Ok(0) => None,
                Err(error) => Some(error),
            };
            let unanswered = connection.received.is_empty() && self.interim_seen == 0;
            // The failed write came before the end of the connection, so it is the cause.
            let cause = match &mut self.stage {
                // But an alert of TLS tells more than the failed write.
                Stage::Unwanted(_)
                    if cause.as_ref().is_some_and(|cause| cause.kind() == io::ErrorKind::InvalidData) =>
                {
                    cause
                }
                Stage::Unwanted(error) => Some(std::mem::replace(error, io::ErrorKind::BrokenPipe.into())),
                _ => cause,
            };
            let error = match cause {
                Some(error) => Error::new(ErrorKind::Closed, error),
                None => Error::new(ErrorKind::Closed, "the connection was closed before a response was whole"),
            };
            return Poll::Ready(Err(if unanswered { error.unanswered() } else { error }));
        }
    }

    /// Takes the head of the final response, when all of it has been received.
    fn take_head(&mut self) -> Result<Option<ResponseHead>, Error> {
        let connection = self.connection.as_mut().expect("the request was sent on it");
        let Connection { received, reader, .. } = &mut **connection;
        while !received.is_empty() {
            let (request, headers) = (&mut self.request, &mut self.headers);
            let is_sending = matches!(self.stage, Stage::Sending(_));
            // The endpoint has begun to answer, so the request is not sent again. Its body is needed until it has left.
            let memory = || match request.take_if(|_| !is_sending) {
                Some(request) => emptied(request),
                None => std::mem::take(headers),
            };
            let Some(mut head) = reader.read(received, memory).map_err(malformed)? else { break };
            if !head.status.is_informational() || head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(Some(head));
            }
            self.interim_seen += 1;
            if self.interim_seen > MAX_INTERIM {
                return Err(Error::new(ErrorKind::Protocol, "there are too many interim responses"));
            }
            if let (Some(interim), StatusCode::EARLY_HINTS) = (&self.interim, head.status) {
                hop_by_hop::remove(&mut head.headers);
                interim.send(head.status, &head.headers);
            }
            head.headers.clear();
            self.headers = head.headers;
        }
        Ok(None)
    }

    /// Makes the response of its head and the rest of the exchange.
    fn respond(&mut self, head: ResponseHead) -> Result<Response<Incoming<P>>, Error> {
        let mut connection = self.connection.take().expect("the head was read from it");
        let mut reusable = self.reusable && head.persistent;
        let mut remainder = None;
        let upgrades = head.status == StatusCode::SWITCHING_PROTOCOLS;
        match std::mem::replace(&mut self.stage, Stage::Sent) {
            Stage::Sent => {}
            Stage::Sending(_) if upgrades => {
                let why = "the protocol was changed before the request was sent";
                return Err(Error::new(ErrorKind::Protocol, why));
            }
            Stage::Sending(upload) => {
                if let Some(request) = self.request.take() {
                    let (receiving, rest) =
                        BackgroundUpload::start(*connection, upload, request.into_body(), self.stall_timeout);
                    connection = receiving;
                    remainder = Some(rest);
                }
            }
            Stage::New | Stage::Unwanted(_) => reusable = false,
        }
        let length = head.body(self.bodiless);
        let mut response = Response::new(());
        *response.status_mut() = head.status;
        *response.version_mut() = head.version;
        *response.headers_mut() = head.headers;
        if upgrades {
            let (pending, upgrade) = OnUpgrade::pending();
            let read_ahead = connection.received.split().freeze();
            let Connection { stream, permit, .. } = *connection;
            pending.fulfil(Upgraded::new(Tunnel { stream, _permit: permit }, read_ahead));
            response.extensions_mut().insert(upgrade);
            return Ok(response.map(|()| Incoming::empty()));
        }
        let body = BodyReader::new(length);
        let body = Incoming::new(connection, body, reusable, remainder).map_err(malformed)?;
        Ok(response.map(|()| body))
    }
}

/// Drops the request, and keeps the memory of its fields.
fn emptied<B>(mut request: Request<B>) -> HeaderMap {
    let mut headers = std::mem::take(request.headers_mut());
    headers.clear();
    headers
}
