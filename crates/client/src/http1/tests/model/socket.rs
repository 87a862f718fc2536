//! A socket in memory that gives and takes any number of bytes, and blocks in either direction at any moment until it
//! is told to go on.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// One step of a direction: perhaps a wait, then so many bytes at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub(super) blocks: bool,
    pub(super) size: usize,
}

impl Move {
    pub(super) const WHOLE: Self = Self { blocks: false, size: usize::MAX };
}

/// The engine's end. What happens at the other one is in [`Peer`].
#[derive(Debug)]
pub(super) struct Socket {
    peer: Peer,
}

/// The other end: what it sends and has got, and which direction is blocked.
#[derive(Debug, Clone)]
pub(super) struct Peer(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    sending: VecDeque<u8>,
    closed: bool,
    received: Vec<u8>,
    reads: Direction,
    writes: Direction,
}

#[derive(Debug)]
struct Direction {
    moves: Vec<Move>,
    next: usize,
    blocked: bool,
    /// Whether the wait of the step at hand is over.
    waited: bool,
    waker: Option<Waker>,
}

impl Direction {
    fn new(moves: Vec<Move>) -> Self {
        Self { moves, next: 0, blocked: false, waited: false, waker: None }
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<usize> {
        let at = self.moves[self.next % self.moves.len()];
        if self.blocked || (at.blocks && !self.waited) {
            self.blocked = true;
            self.wait(cx);
            return Poll::Pending;
        }
        self.waited = false;
        self.next += 1;
        Poll::Ready(at.size.max(1))
    }

    fn wait(&mut self, cx: &Context<'_>) {
        self.waker = Some(cx.waker().clone());
    }

    fn unblock(&mut self) -> bool {
        let was_blocked = std::mem::take(&mut self.blocked);
        self.waited |= was_blocked;
        if was_blocked {
            self.wake();
        }
        was_blocked
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// A socket and its other end.
pub(super) fn pair(reads: Vec<Move>, writes: Vec<Move>) -> (Socket, Peer) {
    let (reads, writes) = (Direction::new(reads), Direction::new(writes));
    let state = State { sending: VecDeque::new(), closed: false, received: Vec::new(), reads, writes };
    let peer = Peer(Arc::new(Mutex::new(state)));
    (Socket { peer: peer.clone() }, peer)
}

impl Peer {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("not poisoned")
    }

    pub(super) fn unblock_reads(&self) -> bool {
        self.lock().reads.unblock()
    }

    pub(super) fn unblock_writes(&self) -> bool {
        self.lock().writes.unblock()
    }

    /// Sends this, after what is under way.
    pub(super) fn send(&self, bytes: &[u8]) {
        let mut state = self.lock();
        state.sending.extend(bytes);
        state.reads.wake();
    }

    /// Ends what it sends, after what is under way.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.reads.wake();
    }

    pub(super) fn received(&self) -> Vec<u8> {
        self.lock().received.clone()
    }

    pub(super) fn has_received(&self) -> usize {
        self.lock().received.len()
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut state = self.peer.lock();
        if state.sending.is_empty() {
            if state.closed {
                return Poll::Ready(Ok(()));
            }
            state.reads.wait(cx);
            return Poll::Pending;
        }
        let size = std::task::ready!(state.reads.poll(cx)).min(buf.remaining()).min(state.sending.len());
        let piece: Vec<u8> = state.sending.drain(..size).collect();
        buf.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut state = self.peer.lock();
        let mut left = std::task::ready!(state.writes.poll(cx));
        let before = state.received.len();
        for slice in bufs {
            let taken = left.min(slice.len());
            state.received.extend_from_slice(&slice[..taken]);
            left -= taken;
        }
        Poll::Ready(Ok(state.received.len() - before))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
