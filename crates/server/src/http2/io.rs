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
use crate::transport::Transport;

/// Walks the frames of both directions. Received frames are charged to the budget. Sent frames show which responses are
/// on the wire, and where a GOAWAY frame may be written.
pub(super) struct GuardedIo {
    transport: Option<Transport>,
    state: Arc<State>,
    received: Walker,
    sent: Walker,
    budget: Budget,
    last_stream: u32,
    /// Whether a block of header fields has begun and not ended.
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
            // The rest of the frame's payload waits for the socket alone.
            if matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0 || frame.kind == RST_STREAM
            {
                state.ended(state.streams.left(frame.stream));
            }
        });
    }

    /// Stamps an incomplete frame. The payload of a DATA frame has the limit of a body, every other frame the limit of a head.
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
            // The driver ends the connection at once.
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
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
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

    /// The driver closes the socket after h2 has dropped it.
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

#[cfg(test)]
mod tests {
    use std::{io::Read, net::TcpStream};

    use tokio::io::AsyncWriteExt;

    use super::{super::frames::WINDOW_UPDATE, *};
    use crate::still::sockets;

    fn guarded() -> (GuardedIo, Arc<State>, TcpStream) {
        let (transport, client) = sockets();
        let state = Arc::new(State::new(Arc::clone(transport.socket().activity())));
        (GuardedIo::new(transport, Arc::clone(&state)), state, client)
    }

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("short");
        [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
    }

    /// Writes the pieces with one call, or each with one of its own.
    async fn write(io: &mut GuardedIo, pieces: &[&[u8]], is_vectored: bool) -> usize {
        if is_vectored {
            let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            return io.write_vectored(&slices).await.expect("writes");
        }
        let mut written = 0;
        for piece in pieces {
            written += io.write(piece).await.expect("writes");
        }
        written
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_frame_of_a_stream_is_noted_however_it_is_written() {
        for (is_last, bytes) in [
            (true, frame(DATA, END_STREAM, 1, b"last")),
            (true, frame(HEADERS, END_STREAM | END_HEADERS, 1, b"trailers")),
            (true, frame(RST_STREAM, 0, 1, &[0; 4])),
            (false, frame(DATA, 0, 1, b"more")),
            (false, frame(HEADERS, END_HEADERS, 1, b"head")),
            (false, frame(DATA, END_STREAM, 3, b"of another one")),
            // A flag that means something else there.
            (false, frame(SETTINGS_ACK.0, SETTINGS_ACK.1, 0, b"")),
        ] {
            for (cut, is_vectored) in [(0, false), (0, true), (5, false), (5, true), (9, true)] {
                let (mut io, state, mut client) = guarded();
                state.activity().idle.clear();
                state.begin(1, false);
                assert!(!state.streams.hand_over(1));
                let (first, second) = bytes.split_at(cut);
                let pieces: Vec<&[u8]> =
                    [first, second].into_iter().filter(|piece| !piece.is_empty()).collect();
                assert_eq!(write(&mut io, &pieces, is_vectored).await, bytes.len());
                let name = format!("{bytes:?}, cut at {cut}, vectored: {is_vectored}");
                assert_eq!(state.streams.in_flight(), usize::from(!is_last), "{name}");
                assert_eq!(state.activity().idle.get().is_some(), is_last, "{name}");
                let mut received = [0; 64];
                let length = client.read(&mut received).expect("it is there");
                assert_eq!(received[..length], bytes, "{name}");
            }
        }
    }

    const SETTINGS_ACK: (u8, u8) = (4, 1);

    /// How many of these frames are taken from the client before they are a flood.
    fn taken(io: &mut GuardedIo, state: &State, bytes: &[u8]) -> usize {
        (0..2000)
            .take_while(|_| {
                io.account(bytes);
                state.flood().is_none()
            })
            .count()
    }

    fn past_the_preface() -> (GuardedIo, Arc<State>, TcpStream) {
        let (mut io, state, client) = guarded();
        io.account(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        (io, state, client)
    }

    #[tokio::test(start_paused = true)]
    async fn responses_that_have_begun_pay_for_the_resets_of_their_client() {
        for responses in [0, 50, 200] {
            let (mut io, state, _client) = past_the_preface();
            let reset = frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]);
            for _ in 0..200 {
                io.account(&reset);
            }
            for _ in 0..responses {
                state.note_response();
            }
            assert_eq!(taken(&mut io, &state, &reset), responses, "after {responses} responses");
            assert_eq!(state.flood(), Some("reset_flood"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn data_that_are_sent_pay_for_windows() {
        let (mut io, state, _client) = past_the_preface();
        let window = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]);
        for _ in 0..1000 {
            io.account(&window);
        }
        for _ in 0..10 {
            write(&mut io, &[&frame(DATA, 0, 1, b"some")], true).await;
            write(&mut io, &[&frame(DATA, 0, 1, b"some")], false).await;
        }
        assert_eq!(taken(&mut io, &state, &window), 20);
        assert_eq!(state.flood(), Some("window_update_flood"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_incomplete_is_stamped_until_it_is_whole() {
        let (mut io, state, _client) = past_the_preface();
        let activity = Arc::clone(&state);
        let stamps = move || (activity.activity().head_begun.get(), activity.activity().body_awaited.get());
        let is_set = |stamps: (Option<u64>, Option<u64>)| (stamps.0.is_some(), stamps.1.is_some());
        for (bytes, expected) in [
            (&frame(HEADERS, END_HEADERS, 1, b"head")[..], (false, false)),
            (&frame(HEADERS, END_HEADERS, 3, b"head")[..5], (true, false)),
            (&frame(HEADERS, END_HEADERS, 3, b"head")[5..], (false, false)),
            (&frame(HEADERS, END_HEADERS, 5, b"head")[..11], (true, false)),
            (&frame(HEADERS, END_HEADERS, 5, b"head")[11..], (false, false)),
            // A whole frame, but not a whole block of fields.
            (&frame(HEADERS, 0, 7, b"head"), (true, false)),
            (&frame(CONTINUATION, 0, 7, b"more"), (true, false)),
            (&frame(CONTINUATION, END_HEADERS, 7, b"last"), (false, false)),
            (&frame(DATA, 0, 1, b"some")[..11], (false, true)),
            (&frame(DATA, 0, 1, b"some")[11..], (false, false)),
        ] {
            io.account(bytes);
            io.note_waiting();
            assert_eq!(is_set(stamps()), expected, "{bytes:?}");
        }
        drop(io);
        assert_eq!(state.take_back().map(|parts| (parts.at_boundary, parts.last_stream)), Some((true, 7)));
    }
}
