use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{BufferedBody, budget::Reservation, too_large};
use crate::{BoxError, Error, ErrorKind};

pin_project! {
    /// The body of a request behind a [`BodyPolicy`](super::BodyPolicy).
    #[derive(Debug)]
    pub struct RequestBody<B> {
        #[pin]
        kind: Kind<B>,
    }
}

pin_project! {
    #[project = KindProjection]
    #[derive(Debug)]
    enum Kind<B> {
        /// Nobody looks at it.
        Untouched { #[pin] body: B },
        /// The policy of this name counts it: so many bytes may still come.
        Counted { #[pin] body: B, left: u64, policy: &'static str, failed: bool },
        /// It was looked at, and goes on as it came.
        Buffered { data: Bytes, trailers: Option<HeaderMap>, reservation: Option<Reservation> },
    }
}

impl<B> RequestBody<B> {
    pub(super) fn untouched(body: B) -> Self {
        Self { kind: Kind::Untouched { body } }
    }

    pub(super) fn counted(body: B, left: u64, policy: &'static str) -> Self {
        Self { kind: Kind::Counted { body, left, policy, failed: false } }
    }

    pub(super) fn buffered(body: BufferedBody) -> Self {
        let (data, trailers, reservation) = body.into_parts();
        Self { kind: Kind::Buffered { data, trailers, reservation: Some(reservation) } }
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.project().kind.project() {
            KindProjection::Untouched { body } => body.poll_frame(cx).map_err(Error::from_body),
            KindProjection::Counted { failed: true, .. } => Poll::Ready(None),
            KindProjection::Counted { body, left, policy, failed } => {
                let frame = ready!(body.poll_frame(cx)).map(|frame| frame.map_err(Error::from_body));
                if let Some(Ok(frame)) = &frame {
                    let length = frame.data_ref().map_or(0, |data| data.len() as u64);
                    match left.checked_sub(length) {
                        Some(rest) => *left = rest,
                        None => {
                            *failed = true;
                            let error = Error::new(ErrorKind::RequestBodyTooLarge, too_large(policy));
                            return Poll::Ready(Some(Err(error)));
                        }
                    }
                }
                Poll::Ready(frame)
            }
            KindProjection::Buffered { data, trailers, reservation } => {
                if !data.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(std::mem::take(data)))));
                }
                // The bytes are the next one's now.
                drop(reservation.take());
                Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Untouched { body } => body.is_end_stream(),
            Kind::Counted { body, failed, .. } => *failed || body.is_end_stream(),
            Kind::Buffered { data, trailers, .. } => data.is_empty() && trailers.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Untouched { body } | Kind::Counted { body, .. } => body.size_hint(),
            Kind::Buffered { data, .. } => SizeHint::with_exact(data.len() as u64),
        }
    }
}
