//! The body of a response on its way to the client.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_core::BoxError;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::exchange::{Either, panic_text};

pin_project! {
    /// The service's body, or a body of our own. The request is over when this is dropped.
    pub(crate) struct Outgoing<B, T> {
        #[pin]
        kind: Kind<B>,
        track: T,
    }
}

pin_project! {
    #[project = KindProjection]
    enum Kind<B> {
        Service { #[pin] body: B },
        Own { chunk: Bytes },
        Broken,
    }
}

impl<B, T> Outgoing<B, T> {
    pub(super) fn new(body: Either<B>, track: T) -> Self {
        let kind = match body {
            Either::Service(body) => Kind::Service { body },
            Either::Own(chunk) => Kind::Own { chunk },
        };
        Self { kind, track }
    }

    pub(crate) fn track(&self) -> &T {
        &self.track
    }
}

impl<B, T> Body for Outgoing<B, T>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut this = self.project();
        match this.kind.as_mut().project() {
            KindProjection::Service { body } => {
                // On HTTP/2 a panic here would end all other streams of the connection too.
                match catch_unwind(AssertUnwindSafe(|| body.poll_frame(cx))) {
                    Ok(polled) => polled.map_err(Into::into),
                    Err(panic) => {
                        tracing::error!(panic = panic_text(&*panic), "a response body panicked");
                        this.kind.set(Kind::Broken);
                        Poll::Ready(Some(Err("a response body panicked".into())))
                    }
                }
            }
            KindProjection::Own { chunk } if chunk.is_empty() => Poll::Ready(None),
            KindProjection::Own { chunk } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(chunk))))),
            KindProjection::Broken => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Service { body } => body.is_end_stream(),
            Kind::Own { chunk } => chunk.is_empty(),
            Kind::Broken => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Service { body } => body.size_hint(),
            Kind::Own { chunk } => SizeHint::with_exact(chunk.len() as u64),
            Kind::Broken => SizeHint::with_exact(0),
        }
    }
}
