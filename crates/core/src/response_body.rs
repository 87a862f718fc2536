//! The body of a response that a layer may have written itself.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::{Body, BoxError, Lease};

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
        /// The inner service's body, with what lives until it has ended.
        Leased { #[pin] body: B, lease: Option<Lease> },
        Own { chunk: Bytes },
    }
}

impl<B> ResponseBody<B> {
    /// The inner service's body, as it is.
    pub fn inner(body: B) -> Self {
        Self { kind: Kind::Inner { body } }
    }

    /// The inner service's body. The lease ends when the body has ended, has failed or is dropped.
    pub fn leased(body: B, lease: Option<Lease>) -> Self {
        match lease {
            None => Self::inner(body),
            lease => Self { kind: Kind::Leased { body, lease } },
        }
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
            Kind::Leased { body, lease: Some(lease) } => Body::new(body).with_lease(lease),
            Kind::Leased { body, lease: None } => Body::new(body),
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
            KindProjection::Leased { body, lease } => {
                let frame = ready!(body.poll_frame(cx));
                // A server may keep the body until the client has taken the last byte, which is as long as the client likes.
                if !matches!(frame, Some(Ok(_))) {
                    drop(lease.take());
                }
                Poll::Ready(frame)
            }
            KindProjection::Own { chunk } if chunk.is_empty() => Poll::Ready(None),
            KindProjection::Own { chunk } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(chunk))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Inner { body } | Kind::Leased { body, .. } => body.is_end_stream(),
            Kind::Own { chunk } => chunk.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Inner { body } | Kind::Leased { body, .. } => body.size_hint(),
            Kind::Own { chunk } => SizeHint::with_exact(chunk.len() as u64),
        }
    }
}
