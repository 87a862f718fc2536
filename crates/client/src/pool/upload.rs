//! A request's body on its way into an HTTP/2 stream.
//!
//! hyper polls the body in a task of its own, and resets the stream when the body fails. The request's future keeps the
//! other end. It takes the body back together with the part that was sent, learns of a failure, and decides when the
//! stream is reset.
//!
//! 1. An upload is watched first. It is detached once, when the response is whole, or abandoned once. Neither is undone.
//! 2. A body is polled by hyper's end alone, and is dropped or taken back by either end. Nobody polls it after that.
//! 3. While an upload is watched, a failure goes to the request's future. Afterwards it resets the stream.
//! 4. A detached upload holds its stream's permit. A body from which the endpoint takes nothing is let go in time.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use gatewright_core::{BoxError, Error, ErrorKind, Gather};
use http_body::{Body, Frame, SizeHint};
use tokio::runtime::Handle;

use super::{
    capture::{Captured, Taken},
    streams::StreamPermit,
};
use crate::AFTER_RESPONSE;

/// hyper's end.
pub(super) struct Upload<B>(Option<Arc<Mutex<State<B>>>>);

/// The end of the request's future. Dropped, it resets the stream, unless the body has ended.
pub(super) struct UploadHandle<B>(Arc<Mutex<State<B>>>);

struct State<B> {
    /// `None` when the body was taken back or let go.
    body: Option<Captured<B>>,
    gather: Gather,
    stage: Stage,
    /// The body has no frame at the moment.
    starved: bool,
    /// How many frames hyper has got.
    given: u64,
    failure: Option<Error>,
    /// hyper's task.
    sender: Option<Waker>,
    /// The request's future.
    observer: Option<Waker>,
    /// Held while the body goes on after the response has ended.
    permit: Option<StreamPermit<B>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The request's future handles a failure.
    Watched,
    /// Nobody watches it any longer.
    Detached,
    /// The stream is to be reset.
    Abandoned,
}

impl<B> State<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_some_and(|body| self.gather.is_end_stream(body))
    }
}

impl<B> Upload<B> {
    /// No body.
    pub(super) fn empty() -> Self {
        Self(None)
    }

    /// A body, and the other end of it.
    pub(super) fn new(body: B) -> (Self, UploadHandle<B>) {
        let state = Arc::new(Mutex::new(State {
            body: Some(Captured::new(body)),
            gather: Gather::default(),
            stage: Stage::Watched,
            starved: false,
            given: 0,
            failure: None,
            sender: None,
            observer: None,
            permit: None,
        }));
        (Self(Some(Arc::clone(&state))), UploadHandle(state))
    }
}

fn lock<B>(state: &Mutex<State<B>>) -> MutexGuard<'_, State<B>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B> UploadHandle<B> {
    /// The rest of the body and the part that was taken, unless some of it is lost.
    pub(super) fn take_back(&self) -> Option<(B, Taken)> {
        let mut state = lock(&self.0);
        if state.failure.is_some() { None } else { state.body.take()?.into_parts() }
    }

    /// Notes that the request is not sent again.
    pub(super) fn forget(&self) {
        if let Some(body) = &mut lock(&self.0).body {
            body.forget();
        }
    }

    /// Ready when the body has failed.
    pub(super) fn poll_failure(&self, cx: &mut Context<'_>) -> Poll<Error> {
        let mut state = lock(&self.0);
        if let Some(error) = state.failure.take() {
            return Poll::Ready(error);
        }
        if !state.observer.as_ref().is_some_and(|observer| observer.will_wake(cx.waker())) {
            state.observer = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    /// Lets the body go, and sends no more of it.
    pub(super) fn stop(&self) {
        let body = lock(&self.0).body.take();
        drop(body);
    }
}

impl<B: Send + 'static> UploadHandle<B> {
    /// Lets the body go on by itself for as long as the endpoint takes it, because the response is whole.
    pub(super) fn detach(self, permit: StreamPermit<B>) {
        let mut state = lock(&self.0);
        // The permit is dropped with the body. That is now if hyper has dropped its end already.
        state.stage = Stage::Detached;
        state.permit = Some(permit);
        let failed = state.failure.is_some();
        let sender = if failed { state.sender.take() } else { None };
        let (goes_on, given) = (state.body.is_some(), state.given);
        drop(state);
        if let Some(sender) = sender {
            sender.wake();
        }
        if goes_on && let Ok(runtime) = Handle::try_current() {
            runtime.spawn(stop_when_stalled(Arc::downgrade(&self.0), given));
        }
    }
}

/// Lets a body go when the endpoint has taken nothing of it for a while, although it has more to give.
async fn stop_when_stalled<B>(state: Weak<Mutex<State<B>>>, mut given: u64) {
    loop {
        tokio::time::sleep(AFTER_RESPONSE).await;
        let Some(state) = state.upgrade() else { return };
        let mut state = lock(&state);
        let body = match &state.body {
            None => return,
            Some(_) if state.starved || state.given != given => {
                given = state.given;
                continue;
            }
            Some(_) => state.body.take(),
        };
        drop(state);
        drop(body);
        return;
    }
}

impl<B> Drop for UploadHandle<B> {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        if state.stage == Stage::Detached {
            return;
        }
        state.stage = Stage::Abandoned;
        let (body, sender) = (state.body.take(), state.sender.take());
        drop(state);
        drop(body);
        if let Some(sender) = sender {
            sender.wake();
        }
    }
}

impl<B> Body for Upload<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(state) = &self.0 else { return Poll::Ready(None) };
        let mut state = lock(state);
        let state = &mut *state;
        // hyper resets the stream with the code of this error.
        let unwanted =
            || Poll::Ready(Some(Err(Error::new(ErrorKind::Closed, h2::Error::from(h2::Reason::CANCEL)))));
        if state.stage == Stage::Abandoned {
            return unwanted();
        }
        if let Some(body) = &mut state.body {
            match state.gather.poll_frame(Pin::new(body), cx) {
                Poll::Pending => state.starved = true,
                Poll::Ready(Some(Ok(frame))) => {
                    state.starved = false;
                    state.given += 1;
                    return Poll::Ready(Some(Ok(frame)));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => {
                    state.body = None;
                    state.failure = Some(Error::from_body(error));
                    if let Some(observer) = state.observer.take() {
                        observer.wake();
                    }
                }
            }
        }
        if state.stage == Stage::Detached && state.body.is_none() {
            return state.failure.take().map_or_else(unwanted, |error| Poll::Ready(Some(Err(error))));
        }
        if !state.sender.as_ref().is_some_and(|sender| sender.will_wake(cx.waker())) {
            state.sender = Some(cx.waker().clone());
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|state| lock(state).is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            None => SizeHint::with_exact(0),
            Some(state) => lock(state).body.as_ref().map_or_else(SizeHint::default, Body::size_hint),
        }
    }
}
