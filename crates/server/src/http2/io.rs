//! The socket that h2 reads from and writes to, with a guard against floods around it.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    budget::Budget,
    frames::{CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, RST_STREAM, Walker},
    state::{Parts, State},
};
use crate::connection::Transport;

/// Walks the frames of both directions: those received are paid for, those sent show which responses have left, and
/// where a GOAWAY may stand.
pub(super) struct GuardedIo {
    transport: Option<Transport>,
    state: Arc<State>,
    received: Walker,
    sent: Walker,
    budget: Budget,
    last_stream: u32,
    /// A block of header fields has begun that is not over.
    in_fields: bool,
}

impl GuardedIo {
    pub(super) fn new(transport: Transport, state: Arc<State>) -> Self {
        let (received, sent) = (Walker::of_client(), Walker::of_server());
        let transport = Some(transport);
        Self { transport, state, received, sent, budget: Budget::new(), last_stream: 0, in_fields: false }
    }

    /// Charges for the frames that begin in `new`.
    fn account(&mut self, new: &[u8]) {
        let Self { state, received, budget, last_stream, in_fields, .. } = self;
        budget.earn_responses(state.take_responses());
        received.walk(new, |frame| {
            if frame.kind == HEADERS {
                *last_stream = frame.stream.max(*last_stream);
            }
            if frame.kind == HEADERS || frame.kind == CONTINUATION {
                *in_fields = frame.flags & END_HEADERS == 0;
            }
            if frame.kind == RST_STREAM {
                state.ended(state.streams.reset_by_client(frame.stream));
            }
            if let Some(flood) = budget.charge(frame, &|| state.activity().now()) {
                state.set_flood(flood);
            }
        });
        state.set_heard();
        let activity = state.activity();
        activity.body_awaited.clear();
        if !*in_fields && received.at_boundary() {
            activity.head_begun.clear();
        }
    }

    fn note_sent(&mut self, sent: &[u8]) {
        let Self { sent: walker, budget, state, .. } = self;
        walker.walk(sent, |frame| {
            budget.earn_sent(frame);
            // What is left of this frame's payload waits for the socket alone.
            if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 || frame.kind == RST_STREAM
            {
                state.ended(state.streams.left(frame.stream));
            }
        });
    }

    /// Stamps what is incomplete. The payload of a body may pause as long as a body may, anything else as a head.
    fn note_waiting(&self) {
        let activity = self.state.activity();
        if self.received.in_data() {
            activity.begin(&activity.body_awaited);
        } else if self.in_fields || !self.received.at_boundary() {
            activity.begin(&activity.head_begun);
        }
    }
}

fn gone() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl AsyncRead for GuardedIo {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.state.flood().is_some() {
            // The connection ends at once.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let transport = this.transport.as_mut().ok_or_else(gone)?;
        match Pin::new(transport).poll_read(cx, buf) {
            Poll::Ready(read) => read?,
            Poll::Pending => {
                this.note_waiting();
                return Poll::Pending;
            }
        }
        this.account(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for GuardedIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let transport = self.transport.as_mut().ok_or_else(gone)?;
        let written = ready!(Pin::new(transport).poll_write(cx, buf))?;
        self.note_sent(&buf[..written]);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let transport = self.transport.as_mut().ok_or_else(gone)?;
        let written = ready!(Pin::new(transport).poll_write_vectored(cx, bufs))?;
        let mut left = written;
        for buf in bufs {
            let part = left.min(buf.len());
            self.note_sent(&buf[..part]);
            left -= part;
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.as_ref().is_some_and(Transport::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let transport = self.transport.as_mut().ok_or_else(gone)?;
        Pin::new(transport).poll_flush(cx)
    }

    /// The connection itself closes the socket, once h2 has let go of it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for GuardedIo {
    fn drop(&mut self) {
        if let Some(transport) = self.transport.take() {
            let (at_boundary, last_stream) = (self.sent.at_boundary(), self.last_stream);
            self.state.give_back(Parts { transport, at_boundary, last_stream });
        }
    }
}
