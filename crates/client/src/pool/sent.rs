//! A request's body on its way out.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};

/// A request's body, which tells when all of it has been taken.
pub(super) struct Sent<B> {
    body: B,
    whole: Whole,
}

/// Whether all of a request has left. One without a body has at once.
#[derive(Clone)]
pub(super) struct Whole(Option<Arc<AtomicBool>>);

impl Whole {
    pub(super) fn is_sent(&self) -> bool {
        self.0.as_ref().is_none_or(|sent| sent.load(Ordering::Acquire))
    }

    fn note(&self) {
        if let Some(sent) = &self.0 {
            sent.store(true, Ordering::Release);
        }
    }
}

impl<B: Body> Sent<B> {
    pub(super) fn new(body: B) -> Self {
        let whole = Whole((!body.is_end_stream()).then(Arc::default));
        Self { body, whole }
    }

    pub(super) fn whole(&self) -> Whole {
        self.whole.clone()
    }
}

impl<B> Sent<B> {
    pub(super) fn into_inner(self) -> B {
        self.body
    }
}

impl<B: Body + Unpin> Body for Sent<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) || (polled.is_ready() && self.body.is_end_stream()) {
            self.whole.note();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
