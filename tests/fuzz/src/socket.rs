//! A socket in memory, for our engine and for hyper alike.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use hyper::rt::ReadBufCursor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The engine's end. After each segment a read waits once.
#[derive(Debug)]
pub struct Socket(Peer);

/// The other end.
#[derive(Debug, Clone)]
pub struct Peer(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    segments: VecDeque<Vec<u8>>,
    /// Segments that are read after the next write alone, the same of the one after it, and so on.
    later: VecDeque<Vec<Vec<u8>>>,
    is_at_segment: bool,
    closed: bool,
    received: Vec<u8>,
    reader: Option<Waker>,
}

/// A socket off which these segments are read, and its other end.
pub fn pair(segments: impl IntoIterator<Item = Vec<u8>>) -> (Socket, Peer) {
    let segments = segments.into_iter().filter(|segment| !segment.is_empty()).collect();
    let later = VecDeque::new();
    let state =
        State { segments, later, is_at_segment: false, closed: false, received: Vec::new(), reader: None };
    let peer = Peer(Arc::new(Mutex::new(state)));
    (Socket(peer.clone()), peer)
}

/// A socket off which nothing is read before something is written; then the first of `answers` is, after the first
/// write that finds all of it read the next one, and so on.
pub fn answering(answers: impl IntoIterator<Item = Vec<Vec<u8>>>) -> (Socket, Peer) {
    let (socket, peer) = pair([]);
    peer.0.lock().expect("not poisoned").later = answers.into_iter().collect();
    (socket, peer)
}

/// Cuts `stream` into segments of `size` bytes, or leaves it whole when that is zero.
pub fn segments(stream: &[u8], size: usize) -> Vec<Vec<u8>> {
    let size = if size == 0 { stream.len().max(1) } else { size };
    stream.chunks(size).map(<[u8]>::to_vec).collect()
}

impl Peer {
    /// What the engine has written.
    pub fn received(&self) -> Vec<u8> {
        self.0.lock().expect("not poisoned").received.clone()
    }

    /// Ends what is sent; the engine reads its end once all before it has been read. False when it has ended before.
    fn close(&self) -> bool {
        let mut state = self.0.lock().expect("not poisoned");
        if let Some(reader) = state.reader.take() {
            reader.wake();
        }
        !std::mem::replace(&mut state.closed, true)
    }
}

impl Socket {
    fn poll_take(&mut self, cx: &Context<'_>, room: usize) -> Poll<Vec<u8>> {
        let mut state = self.0.0.lock().expect("not poisoned");
        let Some(mut segment) = state.segments.pop_front() else {
            if state.closed {
                return Poll::Ready(Vec::new());
            }
            state.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        state.is_at_segment = !state.is_at_segment;
        if state.is_at_segment {
            state.segments.push_front(segment);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if segment.len() > room {
            state.segments.push_front(segment.split_off(room));
            state.is_at_segment = true;
        }
        Poll::Ready(segment)
    }

    fn give(&self, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.0.0.lock().expect("not poisoned");
        state.received.extend_from_slice(bytes);
        if state.segments.is_empty()
            && let Some(answer) = state.later.pop_front()
        {
            state.segments.extend(answer.into_iter().filter(|segment| !segment.is_empty()));
            if let Some(reader) = state.reader.take() {
                reader.wake();
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_take(cx, buf.remaining()).map(|piece| {
            buf.put_slice(&piece);
            Ok(())
        })
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.give(buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Read for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_take(cx, buf.remaining()).map(|piece| {
            buf.put_slice(&piece);
            Ok(())
        })
    }
}

impl hyper::rt::Write for Socket {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.give(buf)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Polls a connection to its end; the peer closes when nothing moves any more. Panics when nothing comes of that.
pub fn play<F: Future>(connection: F, peer: &Peer) -> F::Output {
    let mut connection = pin!(connection);
    let flag = Arc::new(Flag::default());
    let waker = Waker::from(Arc::clone(&flag));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = connection.as_mut().poll(&mut cx) {
            return output;
        }
        if !flag.0.swap(false, Ordering::AcqRel) {
            assert!(peer.close(), "nobody wakes the connection");
            flag.0.store(false, Ordering::Release);
        }
    }
}
