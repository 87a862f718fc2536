//! The socket that hyper reads from and writes to, with strict framing around it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BytesMut};
use gatewright_core::{Error, ErrorKind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    state::{Negotiation, Refusal, State},
    tunnel::Direction,
};
use crate::{
    connection::Transport,
    framing::{Follower, Rest, Violation},
    refused::RequestLine,
};

/// What may wait for the answer to an upgrade.
const MAX_HELD: usize = 64 * 1024;

/// Lets through to hyper only what is proven to be well framed.
///
/// Bytes are read into hyper's own buffer and looked at there. Only an incomplete head or trailer section is copied
/// out, and held until it is whole.
#[derive(Debug)]
pub(super) struct FramedIo {
    parts: Option<Parts>,
    state: Arc<State>,
    tunnel: bool,
    /// The number of the latest request whose final response has begun to be written.
    final_begun: u64,
    interim: Vec<u8>,
    interim_sent: usize,
}

/// What outlives hyper's use of the socket.
pub(super) struct Parts {
    pub(super) transport: Transport,
    pub(super) follower: Follower,
    /// Bytes read and not yet given to hyper, of which the first `proven` may be.
    pub(super) held: BytesMut,
    pub(super) proven: usize,
}

impl Parts {
    pub(super) fn new(transport: Transport, follower: Follower) -> Self {
        Self { transport, follower, held: BytesMut::new(), proven: 0 }
    }

    /// Takes back what hyper had been given and did not use.
    pub(super) fn put_back(&mut self, unused: &[u8]) {
        if !unused.is_empty() {
            let held = std::mem::take(&mut self.held);
            self.held = [unused, &held].concat().as_slice().into();
            self.proven += unused.len();
        }
    }

    /// Whether the client may be in the midst of sending something.
    pub(super) fn mid_message(&self) -> bool {
        self.follower.in_body() || !self.held.is_empty()
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("follower", &self.follower).field("held", &self.held.len()).finish()
    }
}

impl FramedIo {
    pub(super) fn new(parts: Parts, state: Arc<State>) -> Self {
        let final_begun = state.responding();
        Self { parts: Some(parts), state, tunnel: false, final_begun, interim: Vec::new(), interim_sent: 0 }
    }

    /// Takes the socket out, so that it is not given back when this is dropped.
    pub(super) fn into_parts(mut self) -> Option<Parts> {
        self.parts.take()
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl Parts {
    /// Gives hyper bytes that were held and are proven now.
    fn give_proven(&mut self, buf: &mut ReadBuf<'_>) {
        let length = self.proven.min(buf.remaining());
        buf.put_slice(&self.held[..length]);
        self.held.advance(length);
        self.proven -= length;
        if self.held.is_empty() {
            self.held = BytesMut::new();
        }
    }

    /// Follows what is held from the first byte that is not proven.
    fn follow_held(&mut self, state: &State) {
        let followed = self.follower.follow(&self.held[self.proven..]);
        self.proven += followed.pass;
        if let Rest::Refused(violation) = followed.rest {
            let refusal = self.refusal(violation, &self.held[self.proven..]);
            state.refuse(refusal);
            self.held.truncate(self.proven);
        } else {
            note(followed.rest, state);
        }
    }

    /// Follows bytes just read into hyper's buffer, and holds back those that are not proven. Gives how many are.
    fn follow_new(&mut self, new: &[u8], state: &State) -> usize {
        let followed = self.follower.follow(new);
        let rest = &new[followed.pass..];
        if let Rest::Refused(violation) = followed.rest {
            state.refuse(self.refusal(violation, rest));
        } else {
            note(followed.rest, state);
            self.held.extend_from_slice(rest);
        }
        followed.pass
    }

    fn refusal(&self, violation: Violation, rest: &[u8]) -> Refusal {
        let request_line = self.follower.request_line(rest);
        Refusal {
            violation,
            in_body: self.follower.in_body(),
            after: self.follower.heads(),
            request_line: request_line.map(|(method, target)| RequestLine::new(method, target)),
        }
    }

    /// One read of the transport into hyper's buffer. Gives whether hyper got something, or the end of the stream.
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        state: &State,
    ) -> Poll<io::Result<bool>> {
        let before = buf.filled().len();
        let activity = state.activity();
        match Pin::new(&mut self.transport).poll_read(cx, buf) {
            Poll::Ready(read) => read?,
            Poll::Pending => {
                if self.follower.in_body() {
                    activity.begin(&activity.body_awaited);
                } else if self.follower.head_has_begun(&self.held[self.proven..]) {
                    activity.begin(&activity.head_begun);
                }
                return Poll::Pending;
            }
        }
        let new = &buf.filled()[before..];
        if new.is_empty() {
            return Poll::Ready(Ok(true));
        }
        activity.body_awaited.clear();
        let pass = if self.held.is_empty() {
            self.follow_new(new, state)
        } else {
            self.held.extend_from_slice(new);
            self.follow_held(state);
            0
        };
        buf.set_filled(before + pass);
        if self.held.len() == self.proven {
            activity.head_begun.clear();
        }
        Poll::Ready(Ok(pass > 0))
    }
}

fn note(rest: Rest, state: &State) {
    if let Rest::Upgrade(upgrade) = rest {
        state.ask_upgrade(upgrade);
    }
}

impl AsyncRead for FramedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let parts = this.parts.as_mut().ok_or_else(gone)?;
        let state = &*this.state;
        loop {
            if parts.proven > 0 {
                parts.give_proven(buf);
                return Poll::Ready(Ok(()));
            }
            if this.tunnel {
                return poll_read_tunnel(parts, state, cx, buf);
            }
            if let Some(refusal) = state.refusal() {
                return match refusal.in_body {
                    true => Poll::Ready(Err(body_error(refusal.violation))),
                    // The connection ends hyper once nothing is in flight.
                    false => Poll::Pending,
                };
            }
            if parts.follower.awaits_upgrade() {
                match state.upgrade() {
                    Negotiation::Granted => {
                        parts.follower.settle_upgrade(true);
                        this.tunnel = true;
                        parts.proven = parts.held.len();
                        continue;
                    }
                    Negotiation::Denied => {
                        state.forget_upgrade();
                        parts.follower.settle_upgrade(false);
                        parts.follow_held(state);
                        continue;
                    }
                    // The answer to the upgrade polls hyper again.
                    _ if parts.held.len() >= MAX_HELD => return Poll::Pending,
                    _ => {}
                }
            }
            if ready!(parts.poll_fill(cx, buf, state))? {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

fn body_error(violation: Violation) -> io::Error {
    let kind =
        if violation == Violation::SLOW_BODY { ErrorKind::RequestBodyTimeout } else { ErrorKind::RequestBody };
    Error::new(kind, violation.reason()).into()
}

fn poll_read_tunnel(
    parts: &mut Parts,
    state: &State,
    cx: &mut Context<'_>,
    buf: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    if state.tunnel.is_cut() {
        return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
    }
    let read = Pin::new(&mut parts.transport).poll_read(cx, buf);
    note_tunnel(&read, state, Direction::Read, cx);
    read
}

fn note_tunnel<T>(moved: &Poll<T>, state: &State, direction: Direction, cx: &Context<'_>) {
    match moved {
        Poll::Pending => state.tunnel.wait(direction, cx),
        Poll::Ready(_) => state.activity().idle.set(state.activity().now()),
    }
}

impl FramedIo {
    /// Sends interim responses first, if some wait. True when the way is free for hyper's bytes.
    fn poll_interims(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let parts = self.parts.as_mut().ok_or_else(gone)?;
        let number = self.state.requests();
        if !self.state.interims.is_empty() && self.interim.is_empty() && self.state.at_boundary() {
            let queued = self.state.interims.take(number);
            if self.final_begun != number {
                self.interim = queued;
            }
        }
        while self.interim_sent < self.interim.len() {
            let rest = &self.interim[self.interim_sent..];
            let sent = ready!(Pin::new(&mut parts.transport).poll_write(cx, rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.interim_sent += sent;
        }
        self.interim = Vec::new();
        self.interim_sent = 0;
        Poll::Ready(Ok(()))
    }

    /// What precedes each write of hyper.
    #[inline]
    fn poll_before_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let responding = self.state.responding();
        if !self.state.interims.is_empty() || !self.interim.is_empty() {
            ready!(self.poll_interims(cx))?;
        }
        self.final_begun = responding;
        if self.tunnel && self.state.tunnel.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Ready(Ok(()))
    }

    #[inline]
    fn after_write(&mut self, written: &Poll<io::Result<usize>>, cx: &Context<'_>) {
        self.state.set_at_boundary(false);
        if self.tunnel {
            note_tunnel(written, &self.state, Direction::Write, cx);
        } else if written.is_ready() && self.state.activity().body_awaited.get().is_some() {
            // The exchange moves, be it in the other direction.
            self.state.activity().body_awaited.set(self.state.activity().now());
        }
    }
}

impl AsyncWrite for FramedIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_before_write(cx))?;
        let parts = self.parts.as_mut().ok_or_else(gone)?;
        let written = Pin::new(&mut parts.transport).poll_write(cx, buf);
        self.after_write(&written, cx);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_before_write(cx))?;
        let parts = self.parts.as_mut().ok_or_else(gone)?;
        let written = Pin::new(&mut parts.transport).poll_write_vectored(cx, bufs);
        self.after_write(&written, cx);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| parts.transport.is_write_vectored())
    }

    /// hyper flushes when it has nothing more to write, so the stream stands at a message's boundary afterwards.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let parts = self.parts.as_mut().ok_or_else(gone)?;
            ready!(Pin::new(&mut parts.transport).poll_flush(cx))?;
            self.state.set_at_boundary(true);
            if self.state.interims.is_empty() && self.interim.is_empty() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_interims(cx))?;
        }
    }

    /// Outside a tunnel the connection itself closes the socket, once hyper has let go of it.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.tunnel {
            return Poll::Ready(Ok(()));
        }
        let parts = self.parts.as_mut().ok_or_else(gone)?;
        Pin::new(&mut parts.transport).poll_shutdown(cx)
    }
}

impl Drop for FramedIo {
    fn drop(&mut self) {
        let granted = self.tunnel || self.state.upgrade() == Negotiation::Granted;
        if granted {
            self.state.tunnel.close();
        } else if let Some(parts) = self.parts.take() {
            self.state.give_back(parts);
        }
    }
}
