//! A connection that has left HTTP, after `101`.
//!
//! Invariants:
//!
//! 1. The program that took the upgrade owns the stream. The connection's task only watches it.
//! 2. A cut stream moves no byte any more: both directions fail with `TimedOut`, and both waiting tasks are woken.
//! 3. The watching task ends when the stream is dropped, or at the deadline of a drain, whichever comes first.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use gatewright_core::{PendingUpgrade, Upgraded};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    connection::{Shared, Watchdog},
    drain::Phase,
    transport::{Activity, Transport, ticks},
};

/// Hands the stream over, and watches it until it is dropped or its time is up.
pub(super) async fn serve(transport: Transport, read_ahead: Bytes, pending: PendingUpgrade, shared: &Shared) {
    let activity = Arc::clone(transport.socket().activity());
    activity.idle.set(activity.now());
    let link = Arc::new(TunnelLink::default());
    let tunnel = Tunnel { transport, activity: Arc::clone(&activity), link: Arc::clone(&link) };
    pending.fulfil(Upgraded::new(tunnel, read_ahead));
    watch(&link, &activity, shared).await;
}

async fn watch(link: &TunnelLink, activity: &Activity, shared: &Shared) {
    let connections = &*shared.connections;
    let _counted = connections.upgrade();
    let mut phase_changed = pin!(connections.phase_changed.notified());
    let mut watchdog = Watchdog::new(tokio::time::Instant::now());
    let mut seen = None;
    poll_fn(|cx| {
        if link.poll_closed(cx) {
            return Poll::Ready(());
        }
        if seen != Some(connections.phase()) {
            phase_changed.set(connections.phase_changed.notified());
            let _ = phase_changed.as_mut().poll(cx);
            seen = Some(connections.phase());
        }
        if connections.phase() == Phase::Cutting {
            connections.count_cut();
            link.cut();
            return Poll::Ready(());
        }
        while watchdog.poll(cx).is_ready() {
            let due = activity.idle.get().unwrap_or_default() + ticks(shared.limits.stream_timeout);
            if due <= activity.now() {
                link.cut();
                watchdog.look_at(tokio::time::Instant::now() + shared.limits.stream_timeout);
            } else {
                watchdog.look_at(activity.instant(due));
            }
        }
        Poll::Pending
    })
    .await;
}

/// The link between an upgraded stream and the task that watches it.
#[derive(Debug, Default)]
struct TunnelLink {
    cut: AtomicBool,
    closed: AtomicBool,
    waiting: Mutex<[Option<Waker>; 2]>,
    watcher: Mutex<Option<Waker>>,
}

/// A direction of the stream.
#[derive(Debug, Clone, Copy)]
enum Direction {
    Read,
    Write,
}

impl TunnelLink {
    /// Keeps the task that waits in this direction, in order to wake it when the stream is cut.
    fn wait(&self, direction: Direction, cx: &Context<'_>) {
        let mut wakers = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut wakers[direction as usize];
        if !slot.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *slot = Some(cx.waker().clone());
        }
    }

    fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Ends the stream for both sides.
    fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        let wakers = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
    }

    /// Whether the stream has been dropped. If not, the drop will wake the caller.
    fn poll_closed(&self, cx: &Context<'_>) -> bool {
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        self.closed.load(Ordering::Acquire)
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(watcher) = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take() {
            watcher.wake();
        }
    }
}

/// The stream that the program which took the upgrade holds.
struct Tunnel {
    transport: Transport,
    activity: Arc<Activity>,
    link: Arc<TunnelLink>,
}

impl Tunnel {
    /// Moves bytes in one direction, unless the stream has been cut.
    fn poll_move<T>(
        &mut self,
        direction: Direction,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut Transport>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if self.link.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let moved = poll(Pin::new(&mut self.transport), cx);
        match moved {
            Poll::Pending => {
                self.link.wait(direction, cx);
                // The stream may have been cut before the waker was kept.
                if self.link.is_cut() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
            Poll::Ready(_) => self.activity.idle.set(self.activity.now()),
        }
        moved
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_move(Direction::Read, cx, |transport, cx| transport.poll_read(cx, buf))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_move(Direction::Write, cx, |transport, cx| transport.poll_write(cx, buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_move(Direction::Write, cx, |transport, cx| transport.poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.link.close();
    }
}
