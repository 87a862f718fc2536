//! The turns of one HTTP/1 connection. The invariants are those of [`connection`](super::connection).

use std::{
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use gatewright_core::{Body, OnUpgrade, ReplyFormat, RequestRecord};
use gatewright_http1::{Asked, RequestHead, Upgrade, Violation};
use http::{HeaderValue, Method, Request, Version, header};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::{
    buffers,
    connection::{Connection, End, Turn, Upload},
};
use crate::{
    refused::RequestLine,
    service::{Application, Exchange, refuse},
};

/// A read with less room than this would cost more than it brings.
const LEAST_ROOM: usize = 1024;

impl<S, T> Connection<S, T>
where
    S: Application,
    T: AsyncRead + AsyncWrite + Unpin,
{
    /// Goes on until the connection ends or has to wait for something.
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

    /// Waits for a head. Earlier bytes are written first (invariant 2).
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_write(cx))?;
            match self.reader.read(&mut self.input) {
                Ok(Some((head, request))) => {
                    self.begin_request(&head, request, cx);
                    return Poll::Ready(Ok(()));
                }
                Ok(None) => {}
                Err(refusal) => {
                    self.turn = Turn::Last(End::Refused(refusal));
                    return Poll::Ready(Ok(()));
                }
            }
            match self.poll_read(cx) {
                Poll::Ready(read) => {
                    if read? == 0 {
                        let cleanly = !self.reader.has_begun(&self.input);
                        self.turn = Turn::Last(End::Done { cleanly });
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Pending => {
                    // The time of a head counts from its first byte. A connection without a byte is idle and holds no buffer.
                    if self.reader.has_begun(&self.input) {
                        self.activity.begin(&self.activity.head_begun);
                    } else if self.input.is_empty() {
                        self.give_buffers_back();
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn begin_request(&mut self, head: &RequestHead, mut request: Request<Body>, cx: &Context<'_>) {
        self.requests += 1;
        if let Some(first) = self.reader.take_dropped_name() {
            self.shared.connections.count_dropped_fields(head.dropped_fields, &first);
        }
        self.activity.head_begun.clear();
        // The body of an earlier request may have raised the read size.
        self.read_size = buffers::INPUT;
        self.persistent = head.persistent;
        self.discardable = self.shared.limits.max_discarded;
        let is_head = *request.method() == Method::HEAD;
        self.asked = Asked::new(is_head, head.version, head.takes_trailers);
        // HTTP/1.0 clients take no interim responses (RFC 9110, section 15.2).
        if head.version == Version::HTTP_11 {
            self.interims.open(self.requests);
        }
        if !head.body.is_none() {
            *request.body_mut() = self.begin_upload(head, cx);
        }
        if head.upgrade == Some(Upgrade::WebSocket) {
            let (pending, on_upgrade) = OnUpgrade::pending();
            request.extensions_mut().insert(on_upgrade);
            self.upgrade = Some(pending);
        }
        let exchange = self.exchange(request);
        self.slot.serve(exchange);
        self.turn = Turn::Service;
    }

    fn exchange(&self, mut request: Request<Body>) -> Exchange<S, ()> {
        if let Some(host_check) = &self.accepted.host_check
            && !host_check(authority(&request))
        {
            let response = refuse(&Violation::MISDIRECTED.into(), ReplyFormat::of_request(&request), None);
            let line = RequestLine::of(&request);
            self.accepted.refused(&self.shared, Some(&response), Violation::MISDIRECTED.reason(), Some(line));
            return Exchange::answer(response, ());
        }
        self.shared.connections.count_http1_request();
        request.extensions_mut().insert(RequestRecord::new(Some(Arc::clone(&self.info))));
        Exchange::call(self.service.clone(), request, ())
    }

    fn poll_service(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let Poll::Ready(Ok(response)) = self.slot.poll_service(cx) {
                self.begin_response(response, cx);
                return Poll::Ready(Ok(()));
            }
            // The service may have asked for its body in this poll. If a frame is ready at once, the service is polled again.
            if !self.poll_client(cx)? {
                return Poll::Pending;
            }
        }
    }

    /// Goes on with the client while the service works. True if the service has something new to look at.
    pub(super) fn poll_client(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        if !self.is_responding() {
            self.interims.take(self.requests, &mut self.out);
        }
        if self.poll_upload(cx) {
            return Ok(true);
        }
        match self.upload {
            Upload::Done => self.look_for_end(cx)?,
            Upload::Failed if self.is_responding() => self.throw_away(cx)?,
            Upload::Open(_) | Upload::Failed => {}
        }
        if let Poll::Ready(Err(error)) = self.poll_write(cx) {
            return Err(error);
        }
        Ok(false)
    }

    /// Fails when the client has gone. Bytes of a next request are held, up to the size of the buffer.
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

    /// Throws away a body that nobody reads: a client that first sends all of it would otherwise never read the response.
    fn throw_away(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.discardable > 0 {
            match self.poll_read(cx) {
                Poll::Ready(Ok(0)) => self.discardable = 0,
                Poll::Ready(read) => self.discardable = self.discardable.saturating_sub(read? as u64),
                Poll::Pending => break,
            }
            self.input.clear();
        }
        Ok(())
    }

    /// Waits until the body of the request has been read, or until it is clear that nobody will read it.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.rest_is_awaited() {
            if self.poll_upload(cx) {
                continue;
            }
            if let Upload::Open(_) = self.upload {
                ready!(self.poll_write(cx))?;
                // A service may keep the body and never ask for more of it, so the wait is timed.
                self.activity.begin(&self.activity.body_awaited);
                return Poll::Pending;
            }
        }
        if self.poll_discarded(cx).is_pending() {
            // The response is written while the rest of the body arrives.
            return match self.poll_write(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => Poll::Pending,
            };
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
        let written = self.poll_write_out(cx);
        if self.out.take_moved() && self.activity.body_awaited.get().is_some() {
            // Bytes move in the other direction, so the exchange is not stuck.
            self.activity.body_awaited.set(self.activity.now());
        }
        written
    }

    fn poll_write_out(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { out, transport, .. } = self;
        ready!(out.poll_write(|slices| {
            let transport = Pin::new(&mut *transport);
            match slices {
                [only] => transport.poll_write(cx, only),
                several => transport.poll_write_vectored(cx, several),
            }
        }))?;
        if out.is_unflushed() {
            ready!(Pin::new(transport).poll_flush(cx))?;
            out.flushed();
        }
        Poll::Ready(Ok(()))
    }
}

/// The authority of the request. The head has been checked, so a target in absolute form names the same authority as
/// `Host`.
fn authority(request: &Request<Body>) -> &[u8] {
    request.headers().get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default()
}
