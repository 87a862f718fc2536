//! A request's body on its way through.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_client::Taken;
use gatewright_core::{Body, Error, RequestRecord, claims, hop_by_hop};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::progress::Progress;

/// A request's body. It counts its bytes, tells the deadline that it moves, and cleans its trailers.
pub(crate) struct RequestBody {
    /// What an attempt that came to nothing has taken. It goes before the rest. Few requests have any.
    taken: Option<Box<Taken>>,
    body: Body,
    record: Option<RequestRecord>,
    progress: Option<Arc<Progress>>,
}

impl RequestBody {
    pub(crate) fn new(body: Body, record: Option<RequestRecord>) -> Self {
        if body.is_end_stream() {
            // There are no bytes to count and no trailers to clean.
            return Self::empty();
        }
        Self { taken: None, body, record, progress: Some(Arc::default()) }
    }

    /// A body whose progress nobody watches, because another one stands around it.
    pub(crate) fn unwatched(body: Body, record: Option<RequestRecord>) -> Self {
        Self { taken: None, body, record, progress: None }
    }

    pub(crate) fn empty() -> Self {
        Self { taken: None, body: Body::empty(), record: None, progress: None }
    }

    /// Puts back the part of the body that an attempt has taken.
    pub(crate) fn rewind(&mut self, taken: Taken) {
        if taken.is_nothing() {
            return;
        }
        let later = self.taken.take().map(|later| *later).unwrap_or_default();
        self.taken = Some(Box::new(taken.before(later)));
        if let Some(progress) = &self.progress {
            progress.moved();
        }
    }

    /// How far it has come; `None` when it is empty.
    pub(crate) fn progress(&self) -> Option<Arc<Progress>> {
        self.progress.clone()
    }
}

impl RequestBody {
    fn note_progress<T>(&self, polled: &Poll<Option<Result<T, Error>>>) {
        let Some(progress) = &self.progress else { return };
        match polled {
            Poll::Pending => progress.starved(),
            Poll::Ready(Some(Ok(_))) if !self.is_end_stream() => progress.moved(),
            Poll::Ready(_) => progress.ended(),
        }
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if let Some(taken) = &mut this.taken {
            if let Some(frame) = taken.next_frame() {
                this.note_progress(&Poll::Ready(Some(Ok(()))));
                return Poll::Ready(Some(Ok(frame)));
            }
            if taken.is_all() {
                return Poll::Ready(None);
            }
        }
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        this.note_progress(&polled);
        polled.map_ok(|mut frame| {
            if let Some(data) = frame.data_ref() {
                if let Some(record) = &this.record {
                    record.add_bytes_in(data.len() as u64);
                }
            } else if let Some(trailers) = frame.trailers_mut() {
                hop_by_hop::remove_from_trailers(trailers);
                claims::remove_from_trailers(trailers);
                let barred = this
                    .record
                    .as_ref()
                    .and_then(|record| record.with_layers(|_, layers| layers.not_in_trailers.clone()));
                for name in barred.iter().flat_map(|names| &**names) {
                    trailers.remove(name);
                }
            }
            frame
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.taken {
            None => self.body.is_end_stream(),
            Some(taken) => !taken.has_frames() && (taken.is_all() || self.body.is_end_stream()),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let mut size = self.body.size_hint();
        let Some(taken) = &self.taken else { return size };
        let (taken, is_all) = (taken.size() as u64, taken.is_all());
        if is_all {
            return SizeHint::with_exact(taken);
        }
        // The upper bound first: the lower one must not go beyond it.
        if let Some(upper) = size.upper() {
            size.set_upper(upper.saturating_add(taken));
        }
        size.set_lower(size.lower().saturating_add(taken));
        size
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    /// Each frame after a wait.
    struct Waiting(Vec<&'static str>, bool);

    impl HttpBody for Waiting {
        type Data = Bytes;
        type Error = Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
            self.1 = !self.1;
            if self.1 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(self.0.pop().map(|data| Ok(Frame::data(data.into()))))
        }
    }

    #[tokio::test]
    async fn the_deadline_sees_how_far_the_body_has_come() {
        let mut body = RequestBody::new(Body::new(Waiting(vec!["more", "some"], false)), None);
        let progress = body.progress().expect("there is a body");
        let is = |state: &str| format!("{progress:?}").contains(state);
        assert!(is("Moving"));
        std::future::poll_fn(|cx| {
            assert!(Pin::new(&mut body).poll_frame(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        assert!(is("Starved"));
        body.frame().await.expect("some").expect("some");
        assert!(is("Moving"));
        body.frame().await.expect("more").expect("more");
        assert!(is("Moving"));
        assert!(body.frame().await.is_none());
        assert!(is("Ended"));
    }

    #[tokio::test]
    async fn a_body_that_is_known_to_be_over_is_not_waited_for() {
        assert!(RequestBody::empty().progress().is_none());
        assert!(RequestBody::new(Body::empty(), None).progress().is_none());
        // The last frame is the end.
        let mut body = RequestBody::new(Body::once("all"), None);
        let progress = body.progress().expect("there is a body");
        body.frame().await.expect("all").expect("all");
        assert!(format!("{progress:?}").contains("Ended"));
    }
}
