use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};

use super::permits::Held;

pin_project_lite::pin_project! {
    /// A response's body that counts as under way until it has ended, has failed or is dropped.
    pub struct Permitted<B> {
        #[pin]
        body: B,
        permit: Option<Held>,
    }
}

impl<B> Permitted<B> {
    pub(super) fn new(body: B, permit: Option<Held>) -> Self {
        Self { body, permit }
    }
}

impl<B: Body> Body for Permitted<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        // hyper keeps the body until the last of it is written, which is as long as the client likes.
        if !matches!(frame, Some(Ok(_))) {
            drop(this.permit.take());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B: fmt::Debug> fmt::Debug for Permitted<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permitted").field("body", &self.body).finish_non_exhaustive()
    }
}
