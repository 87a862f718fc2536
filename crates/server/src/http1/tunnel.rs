//! A connection that has left HTTP, after `101`.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Waker},
};

/// The ties between an upgraded stream, which whoever took the upgrade holds, and the connection that watches it.
#[derive(Debug, Default)]
pub(super) struct Tunnel {
    cut: AtomicBool,
    closed: AtomicBool,
    readers: Mutex<[Option<Waker>; 2]>,
    watcher: Mutex<Option<Waker>>,
}

/// A direction of the stream.
#[derive(Debug, Clone, Copy)]
pub(super) enum Direction {
    Read,
    Write,
}

impl Tunnel {
    /// Notes who waits in this direction, to be woken when the stream is cut.
    pub(super) fn wait(&self, direction: Direction, cx: &Context<'_>) {
        let mut wakers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut wakers[direction as usize];
        if !slot.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *slot = Some(cx.waker().clone());
        }
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    /// Ends the stream for both sides.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
        let wakers = std::mem::take(&mut *self.readers.lock().unwrap_or_else(PoisonError::into_inner));
        for waker in wakers.into_iter().flatten() {
            waker.wake();
        }
    }

    /// Whether the stream has been let go; the caller is woken when it will be.
    pub(super) fn poll_closed(&self, cx: &Context<'_>) -> bool {
        *self.watcher.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(watcher) = self.watcher.lock().unwrap_or_else(PoisonError::into_inner).take() {
            watcher.wake();
        }
    }
}
