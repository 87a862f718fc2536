//! The turns of one connection.

use std::{
    io,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use gatewright_core::{
    Body, BoxError, ConnectionInfo, OnUpgrade, PendingUpgrade, RequestRecord, problem::Problem,
};
use http::{HeaderValue, Request, Response, StatusCode, Version, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::{
    buffers,
    encode::{self, Framing},
    familiar::Familiar,
    interim::Interims,
    outbox::Outbox,
    request::{self, Asked},
    room::{self, ResponseBody, Room},
    upload::Upload,
};
use crate::{
    connection::{Accepted, Activity, Shared},
    drain::Phase,
    framing::{BodyLength, Follower, Head, Step, Upgrade, Violation},
    refused::RequestLine,
    service::{Application, Exchange, problem, refuse},
};

/// With less room than this a read is not worth its while.
const LEAST_ROOM: usize = 1024;

/// Why a connection ends.
pub(super) enum End {
    /// All is said, by the rules of either side. Otherwise a response may be cut short, or the client has gone.
    Done { cleanly: bool },
    /// A head breaks a rule, and everything before it has been answered.
    Refused(Violation, Option<RequestLine>),
    /// It leaves HTTP, and `101` has been written.
    Upgraded,
    /// Nobody needs it.
    Idle,
    /// The client does not read.
    Stalled,
    /// Time is up.
    Cut,
}

/// What the connection waits for.
enum Turn {
    Head,
    Service,
    /// Frames of the response's body.
    Response,
    /// The response is over, the request's body is not.
    Rest,
    /// What is written is all.
    Last(End),
}

/// One connection over `T`, without the end of it, which is [`driver`](super::driver)'s.
pub(super) struct Connection<S: Application, T> {
    pub(super) transport: T,
    pub(super) activity: Arc<Activity>,
    pub(super) shared: Arc<Shared>,
    pub(super) accepted: Arc<Accepted>,
    service: S,
    info: Arc<ConnectionInfo>,
    interims: Arc<Interims>,
    pub(super) follower: Follower,
    familiar: Familiar,
    /// Bytes read that no step of the follower has told of.
    pub(super) input: BytesMut,
    pub(super) read_size: usize,
    pub(super) out: Outbox,
    has_buffers: bool,
    room: Room<S>,
    turn: Turn,
    requests: u64,
    /// Whether another request may follow.
    pub(super) persistent: bool,
    asked: Asked,
    framing: Framing,
    pub(super) upload: Upload,
    pub(super) upgrade: Option<PendingUpgrade>,
    /// A rule that was broken, or a limit, in the body of the request in hand.
    pub(super) refusal: Option<Violation>,
}

impl<S: Application, T> Connection<S, T> {
    pub(super) fn new(
        transport: T,
        activity: Arc<Activity>,
        service: S,
        accepted: Accepted,
        shared: Arc<Shared>,
    ) -> Self {
        let interims = Arc::new(Interims::default());
        let info = accepted.info.clone().with_interim(super::interim::responder(&interims));
        Self {
            transport,
            activity,
            service,
            info: Arc::new(info),
            interims,
            follower: Follower::new(shared.limits.rules()),
            familiar: Familiar::default(),
            input: BytesMut::new(),
            read_size: buffers::INPUT,
            out: Outbox::default(),
            has_buffers: false,
            room: Room::new(),
            turn: Turn::Head,
            requests: 0,
            persistent: true,
            asked: Asked { is_head: false, version: Version::HTTP_11, trailers: false },
            framing: Framing::Empty,
            upload: Upload::Done,
            upgrade: None,
            refusal: None,
            accepted: Arc::new(accepted),
            shared,
        }
    }

    pub(super) fn interims(&self) -> &Interims {
        &self.interims
    }

    /// Whether a request has come that is not wholly done with.
    pub(super) fn in_flight(&self) -> bool {
        matches!(self.turn, Turn::Service | Turn::Response | Turn::Rest) || !self.out.is_empty()
    }

    /// Whether the response in hand has begun.
    pub(super) fn is_responding(&self) -> bool {
        !matches!(self.turn, Turn::Service)
    }

    /// How many requests have come.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// Whether the client may be in the midst of sending something.
    pub(super) fn mid_message(&self) -> bool {
        self.follower.in_body() || !self.input.is_empty()
    }

    /// Whether there is memory to give up while nothing is to be done.
    pub(super) fn can_park(&self) -> bool {
        matches!(self.turn, Turn::Head) && self.out.is_empty() && !self.is_parked()
    }

    pub(super) fn is_parked(&self) -> bool {
        self.room.is_released()
    }

    pub(super) fn park(&mut self) {
        self.room.release();
        self.follower.release();
        self.familiar.release();
    }

    /// Takes a pair of buffers, if the connection has none.
    fn take_buffers(&mut self) {
        if !self.has_buffers {
            (self.input, self.out.buffer) = buffers::take();
            self.has_buffers = true;
        }
    }

    /// Gives the buffers to other connections; nothing is in them that matters.
    pub(super) fn give_buffers_back(&mut self) {
        if std::mem::take(&mut self.has_buffers) {
            buffers::give_back(std::mem::take(&mut self.input), std::mem::take(&mut self.out.buffer));
        }
    }

    /// What was read beyond the head of a request that has been granted an upgrade.
    pub(super) fn take_input(&mut self) -> Bytes {
        std::mem::take(&mut self.input).freeze()
    }
}

impl<S, T> Connection<S, T>
where
    S: Application,
    T: AsyncRead + AsyncWrite + Unpin,
{
    /// Goes on until the connection ends or has to wait.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let turned = match &mut self.turn {
                Turn::Head => self.poll_head(cx),
                Turn::Service => self.poll_service(cx),
                Turn::Response => self.poll_response(cx),
                Turn::Rest => self.poll_rest(cx),
                Turn::Last(_) => match ready!(self.poll_write(cx)) {
                    Ok(()) => {
                        let last = std::mem::replace(&mut self.turn, Turn::Last(End::Done { cleanly: false }));
                        let Turn::Last(end) = last else { unreachable!("it was matched above") };
                        return Poll::Ready(end);
                    }
                    Err(error) => Poll::Ready(Err(error)),
                },
            };
            if let Err(error) = ready!(turned) {
                tracing::debug!(%error, "a connection failed");
                return Poll::Ready(End::Done { cleanly: false });
            }
        }
    }

    /// Waits for a head, after everything before it has been written.
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if self.follower.at_head_start()
                && let Some((head, request)) = self.familiar.take(&mut self.input, self.follower.rules())
            {
                self.follower.pass_head(head.body);
                self.begin_request(&head, request, cx);
                return Poll::Ready(Ok(()));
            }
            match self.follower.step(&self.input) {
                Ok(Step::Head(head)) => {
                    self.build_request(&head, cx);
                    return Poll::Ready(Ok(()));
                }
                Ok(_) => {}
                Err(violation) => {
                    let line = self.follower.request_line(&self.input);
                    let request_line = line.map(|(method, target)| RequestLine::new(method, target));
                    self.turn = Turn::Last(End::Refused(violation, request_line));
                    return Poll::Ready(Ok(()));
                }
            }
            ready!(self.poll_write(cx))?;
            match self.poll_read(cx) {
                Poll::Ready(read) => {
                    if read? == 0 {
                        let cleanly = !self.follower.head_has_begun(&self.input);
                        self.turn = Turn::Last(End::Done { cleanly });
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Pending => {
                    if self.follower.head_has_begun(&self.input) {
                        self.activity.begin(&self.activity.head_begun);
                    } else if self.input.is_empty() {
                        self.give_buffers_back();
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn build_request(&mut self, head: &Head, cx: &Context<'_>) {
        let bytes = self.input.split_to(head.length).freeze();
        match request::build(head, &bytes, self.follower.fields()) {
            Ok(request) => {
                self.familiar.keep(head, &bytes, self.follower.fields());
                self.begin_request(head, request, cx);
            }
            Err(violation) => {
                let line = RequestLine::new(&bytes[head.method.clone()], &bytes[head.target.clone()]);
                self.turn = Turn::Last(End::Refused(violation, Some(line)));
            }
        }
    }

    fn begin_request(&mut self, head: &Head, mut request: Request<Body>, cx: &Context<'_>) {
        self.requests += 1;
        self.activity.head_begun.clear();
        self.read_size = buffers::INPUT;
        self.persistent = head.persistent;
        self.asked = Asked::of(&request, head);
        if head.version == Version::HTTP_11 {
            self.interims.open(self.requests);
        }
        if head.body != BodyLength::None {
            *request.body_mut() = self.begin_upload(head, cx);
        }
        if head.upgrade == Some(Upgrade::WebSocket) {
            let (pending, on_upgrade) = OnUpgrade::pending();
            request.extensions_mut().insert(on_upgrade);
            self.upgrade = Some(pending);
        }
        let exchange = self.exchange(request);
        self.room.serve(exchange);
        self.turn = Turn::Service;
    }

    fn exchange(&self, mut request: Request<Body>) -> Exchange<S, ()> {
        if let Some(host_check) = &self.accepted.host_check
            && !host_check(authority(&request))
        {
            let response = refuse(Violation::MISDIRECTED, None);
            let line = RequestLine::of(&request);
            self.accepted.refused(&self.shared, Some(&response), Violation::MISDIRECTED.reason(), Some(line));
            return Exchange::answer(response, ());
        }
        request.extensions_mut().insert(RequestRecord::new(Some(Arc::clone(&self.info))));
        Exchange::call(self.service.clone(), request, ())
    }

    fn poll_service(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Poll::Ready(Ok(response)) = self.room.poll_service(cx) {
                self.begin_response(response, cx);
                return Poll::Ready(Ok(()));
            }
            if !self.poll_client(cx)? {
                return Poll::Pending;
            }
        }
    }

    /// Goes on with the client while the service is at work. True when the service has something new to look at.
    fn poll_client(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        self.interims.take(self.requests, &mut self.out.buffer);
        if self.poll_upload(cx) {
            return Ok(true);
        }
        if matches!(self.upload, Upload::Done) {
            self.look_for_end(cx)?;
        }
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            return Err(error);
        }
        Ok(false)
    }

    /// Fails when the client has gone. What it sends instead is held, up to the size of the buffer.
    fn look_for_end(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.input.len() < buffers::INPUT {
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Poll::Ready(read) => read.map(drop)?,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    fn begin_response(&mut self, response: Response<ResponseBody<S>>, cx: &mut Context<'_>) {
        let (head, body) = response.into_parts();
        self.interims.close();
        self.interims.take(self.requests, &mut self.out.buffer);
        self.settle_upload(cx);
        let switching = head.status == StatusCode::SWITCHING_PROTOCOLS;
        let upgrade = self.upgrade.take();
        // A service that answers just so knows, and has told its own log.
        let refusal = self.refusal.take().filter(|violation| violation.status() != head.status);
        let instead = if let Some(violation) = refusal {
            let response = refuse(violation, Some(&head.headers));
            self.accepted.refused(&self.shared, Some(&response), violation.reason(), None);
            response
        } else if switching && upgrade.is_none() {
            tracing::warn!("the service answered 101 to a request that asked for no upgrade");
            problem(Problem::new(StatusCode::BAD_GATEWAY), Some(&head.headers))
        } else if head.status.is_informational() && !switching {
            tracing::warn!(status = %head.status, "the service gave an interim response as its final one");
            problem(Problem::new(StatusCode::INTERNAL_SERVER_ERROR), Some(&head.headers))
        } else {
            if switching {
                self.upgrade = upgrade;
            } else if self.shared.connections.phase() != Phase::Serving {
                self.persistent = false;
            }
            let size = room::exact_size(&body);
            self.framing = encode::head(&mut self.out.buffer, &head, size, self.asked, &mut self.persistent);
            if switching {
                self.room.clear();
                self.turn = Turn::Last(End::Upgraded);
            } else if let Framing::Empty = self.framing {
                drop(body);
                self.finish_response();
            } else {
                self.room.respond(body);
                self.turn = Turn::Response;
            }
            return;
        };
        drop(body);
        self.persistent = false;
        let (head, own) = instead.into_parts();
        let size = Some(own.len() as u64);
        self.framing = encode::head(&mut self.out.buffer, &head, size, self.asked, &mut self.persistent);
        if !matches!(self.framing, Framing::Empty) {
            self.out.buffer.extend_from_slice(&own);
        }
        self.finish_response();
    }

    fn poll_response(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let was_full = self.out.is_full();
            if !was_full && let Poll::Ready(over) = self.poll_frame(cx) {
                if over? {
                    self.finish_response();
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            if !self.poll_client(cx)? && was_full == self.out.is_full() {
                return Poll::Pending;
            }
        }
    }

    /// Encodes one frame. True when the response is over.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let trailers = match ready!(self.room.poll_frame(cx)) {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    if !self.framing.data(&mut self.out, data) {
                        tracing::warn!("a response's body is longer than its Content-Length");
                        self.persistent = false;
                    } else if !self.framing.is_complete() && !self.room.is_end_stream() {
                        return Poll::Ready(Ok(false));
                    }
                    None
                }
                Err(frame) => frame.into_trailers().ok(),
            },
            Some(Err(error)) => return Poll::Ready(Err(cut_short(error))),
            None => None,
        };
        // What ends the body may find the outbox full, which is no harm: it is a few bytes.
        match self.framing.end(&mut self.out, trailers.as_ref()) {
            Ok(()) => Poll::Ready(Ok(true)),
            Err(_) => Poll::Ready(Err(cut_short("it is shorter than its Content-Length".into()))),
        }
    }

    /// The whole response is encoded.
    fn finish_response(&mut self) {
        self.room.clear();
        self.turn = Turn::Rest;
    }

    /// Waits until the body of the request is read or known to be left unread.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.rest_is_awaited(cx) {
            if self.poll_upload(cx) {
                continue;
            }
            if let Upload::Open(_) = self.upload {
                ready!(self.poll_write(cx))?;
                return Poll::Pending;
            }
        }
        self.upload_is_over();
        Poll::Ready(Ok(()))
    }

    fn upload_is_over(&mut self) {
        self.activity.idle.set(self.activity.now());
        let ended = matches!(self.upload, Upload::Done);
        self.turn = match self.persistent && ended {
            true => Turn::Head,
            false => Turn::Last(End::Done { cleanly: true }),
        };
    }

    /// One read of the transport.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.take_buffers();
        if self.input.capacity() - self.input.len() < LEAST_ROOM {
            self.input.reserve(self.read_size);
        }
        pin!(self.transport.read_buf(&mut self.input)).poll(cx)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let written = self.out.poll_write(&mut self.transport, cx);
        if self.out.take_moved() && self.activity.body_awaited.get().is_some() {
            // The exchange moves, be it in the other direction.
            self.activity.body_awaited.set(self.activity.now());
        }
        written
    }
}

/// The authority that framing has checked: that of the target, which equals `Host`, or `Host` itself.
fn authority(request: &Request<Body>) -> &[u8] {
    request.headers().get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default()
}

fn cut_short(why: BoxError) -> io::Error {
    tracing::debug!(error = %why, "a response's body failed");
    io::Error::other(why)
}
