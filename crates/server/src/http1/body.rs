//! The body of a request on its way from the connection to its reader, which may be another task.
//!
//! Nothing is read from the socket before the reader asks for the body, and then one frame at a time, so a slow reader
//! holds the client back.

use std::{
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use gatewright_core::{Error, ErrorKind};
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// A body of `length` bytes, if the length is known, fed by the task of `connection`.
pub(super) fn channel(length: Option<u64>, connection: &Waker) -> (Sender, Receiver) {
    let state = State {
        data: None,
        end: End::NotYet,
        left: length,
        reader: None,
        connection: connection.clone(),
        awaited: false,
        abandoned: false,
    };
    let channel = Arc::new(Channel(Mutex::new(state)));
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

#[derive(Debug)]
struct Channel(Mutex<State>);

#[derive(Debug)]
struct State {
    data: Option<Bytes>,
    end: End,
    left: Option<u64>,
    /// The task that waits for the next frame.
    reader: Option<Waker>,
    connection: Waker,
    /// Whether the connection waits only for the body to be read or dropped.
    awaited: bool,
    abandoned: bool,
}

/// How the body ends after its data.
#[derive(Debug)]
enum End {
    NotYet,
    Trailers(HeaderMap),
    Failed(Error),
    Over,
}

impl Channel {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The connection's side. A sender that is dropped before the end fails the body.
#[derive(Debug)]
pub(super) struct Sender(Arc<Channel>);

impl Sender {
    /// Whether a task waits for the next frame.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.lock().reader.is_some()
    }

    /// Whether the body has been dropped.
    pub(super) fn is_abandoned(&self) -> bool {
        self.0.lock().abandoned
    }

    /// Whether the body has been dropped. If not, the drop will wake the connection's task.
    pub(super) fn await_abandoned(&self) -> bool {
        let mut state = self.0.lock();
        state.awaited = true;
        state.abandoned
    }

    /// Gives the next data: one piece, after [`is_wanted`](Self::is_wanted) said true.
    pub(super) fn push(&self, data: Bytes) {
        self.0.lock().data = Some(data);
    }

    /// Ends the body.
    pub(super) fn end(&self, trailers: Option<HeaderMap>) {
        self.0.lock().end = trailers.map_or(End::Over, End::Trailers);
    }

    /// Fails the body.
    pub(super) fn fail(&self, error: Error) {
        self.0.lock().end = End::Failed(error);
    }

    /// Wakes the task that waits. True if that is the current task, which is not woken.
    pub(super) fn notify(&self, cx: &Context<'_>) -> bool {
        match self.0.lock().reader.take() {
            Some(reader) if reader.will_wake(cx.waker()) => true,
            Some(reader) => {
                reader.wake();
                false
            }
            None => false,
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if let End::NotYet = state.end {
            state.end = End::Failed(Error::new(ErrorKind::RequestBody, "the connection ended"));
        }
        let reader = state.reader.take();
        drop(state);
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

/// The reader's side: the body.
#[derive(Debug)]
pub(super) struct Receiver(Arc<Channel>);

impl Body for Receiver {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let mut state = self.0.lock();
        if let Some(data) = state.data.take() {
            state.left = state.left.map(|left| left.saturating_sub(data.len() as u64));
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        match mem::replace(&mut state.end, End::Over) {
            End::Trailers(trailers) => Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
            End::Failed(error) => Poll::Ready(Some(Err(error))),
            End::Over => Poll::Ready(None),
            End::NotYet => {
                state.end = End::NotYet;
                if !state.reader.as_ref().is_some_and(|reader| reader.will_wake(cx.waker())) {
                    state.reader = Some(cx.waker().clone());
                }
                // The connection looks for a waiting reader after it has polled the service. Only another task has to wake it.
                let connection = (!state.connection.will_wake(cx.waker())).then(|| state.connection.clone());
                drop(state);
                if let Some(connection) = connection {
                    connection.wake();
                }
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let state = self.0.lock();
        state.data.is_none() && matches!(state.end, End::Over)
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().left.map_or_else(SizeHint::new, SizeHint::with_exact)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.abandoned = true;
        state.data = None;
        let connection = state.awaited.then(|| state.connection.clone());
        drop(state);
        if let Some(connection) = connection {
            connection.wake();
        }
    }
}
