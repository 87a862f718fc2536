//! The body of a response that a layer may have written itself.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::{Body, BoxError};

pin_project_lite::pin_project! {
    /// The inner service's body, or the layer's own in its place.
    #[derive(Debug)]
    pub struct ResponseBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project_lite::pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<B> {
        Inner { #[pin] body: B },
        Own { chunk: Bytes },
    }
}

impl<B> ResponseBody<B> {
    /// The inner service's body, as it is.
    pub fn inner(body: B) -> Self {
        Self { kind: Kind::Inner { body } }
    }

    /// A layer's own body, of one chunk.
    pub fn own(chunk: impl Into<Bytes>) -> Self {
        Self { kind: Kind::Own { chunk: chunk.into() } }
    }

    /// The same as one concrete [`Body`].
    pub fn into_body(self) -> Body
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        match self.kind {
            Kind::Inner { body } => Body::new(body),
            Kind::Own { chunk } => Body::once(chunk),
        }
    }
}

/// An empty body.
impl<B> Default for ResponseBody<B> {
    fn default() -> Self {
        Self::own(Bytes::new())
    }
}

impl<B> http_body::Body for ResponseBody<B>
where
    B: http_body::Body<Data = Bytes>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().kind.project() {
            KindProjection::Inner { body } => body.poll_frame(cx),
            KindProjection::Own { chunk } if chunk.is_empty() => Poll::Ready(None),
            KindProjection::Own { chunk } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(chunk))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } => body.is_end_stream(),
            Kind::Own { chunk } => chunk.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } => body.size_hint(),
            Kind::Own { chunk } => SizeHint::with_exact(chunk.len() as u64),
        }
    }
}
