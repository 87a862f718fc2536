//! The bodies on their way through.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_client::{PoolBody, Taken};
use gatewright_core::{Body, Error, ErrorKind, RequestRecord, Side, claims, hop_by_hop};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::{deadline::Progress, service::Settings};

/// A request's body: counts its bytes, tells the deadline that it moves, and cleans its trailers.
pub(crate) struct RequestBody {
    /// What an attempt that came to nothing has taken; it goes before the rest. Few requests have any.
    taken: Option<Box<Taken>>,
    body: Body,
    record: Option<RequestRecord>,
    progress: Option<Arc<Progress>>,
}

impl RequestBody {
    pub(crate) fn new(body: Body, record: Option<RequestRecord>) -> Self {
        let progress = (!body.is_end_stream()).then(Arc::default);
        Self { taken: None, body, record, progress }
    }

    pub(crate) fn empty() -> Self {
        Self { taken: None, body: Body::empty(), record: None, progress: None }
    }

    /// Puts what an attempt has taken of it back.
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

/// The body of an upstream's response. It fails when the upstream is silent for too long or ends it early.
pub struct ProxyBody {
    content: Content,
    // Armed when the body has to be waited for the first time; a short one never is.
    idle: Option<Pin<Box<Sleep>>>,
}

enum Content {
    Upstream(PoolBody<RequestBody>, Source),
    /// The proxy's own, where it answers itself; empty when that has been taken, or has failed.
    Own(Bytes),
}

/// Which endpoint a body comes from.
struct Source {
    settings: Arc<Settings>,
    endpoint: usize,
}

impl Source {
    /// Has a failure of the upstream logged, and gives it back.
    fn failed(&self, error: Error) -> Error {
        if error.side() == Side::Upstream {
            self.settings.upstream.endpoints()[self.endpoint].note_failure(&error);
        }
        error
    }
}

impl ProxyBody {
    pub(crate) fn new(body: PoolBody<RequestBody>, settings: Arc<Settings>, endpoint: usize) -> Self {
        Self { content: Content::Upstream(body, Source { settings, endpoint }), idle: None }
    }

    pub(crate) fn own(content: Bytes) -> Self {
        Self { content: Content::Own(content), idle: None }
    }

    pub(crate) fn empty() -> Self {
        Self::own(Bytes::new())
    }
}

/// An empty body.
impl Default for ProxyBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl HttpBody for ProxyBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        let (body, source) = match &mut this.content {
            Content::Upstream(body, source) => (body, source),
            Content::Own(content) if content.is_empty() => return Poll::Ready(None),
            Content::Own(content) => return Poll::Ready(Some(Ok(Frame::data(mem::take(content))))),
        };
        let timeout = source.settings.idle_timeout;
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            if let Some(idle) = &mut this.idle {
                idle.as_mut().reset(Instant::now() + timeout);
            }
            return Poll::Ready(match frame {
                Some(Ok(mut frame)) => {
                    if let Some(trailers) = frame.trailers_mut() {
                        hop_by_hop::remove_from_trailers(trailers);
                    }
                    Some(Ok(frame))
                }
                Some(Err(error)) => {
                    let error = source.failed(error);
                    this.content = Content::Own(Bytes::new());
                    Some(Err(error))
                }
                None => None,
            });
        }
        let idle = this.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        if idle.as_mut().poll(cx).is_ready() {
            let silence = format!("the response's body was silent for {timeout:?}");
            let error = source.failed(Error::new(ErrorKind::IdleTimeout, silence));
            this.content = Content::Own(Bytes::new());
            return Poll::Ready(Some(Err(error)));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Upstream(body, _) => body.is_end_stream(),
            Content::Own(content) => content.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Upstream(body, _) => body.size_hint(),
            Content::Own(content) => SizeHint::with_exact(content.len() as u64),
        }
    }
}

impl fmt::Debug for ProxyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content: &dyn fmt::Debug = match &self.content {
            Content::Upstream(body, _) => body,
            Content::Own(content) => content,
        };
        f.debug_tuple("ProxyBody").field(content).finish()
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

    #[tokio::test]
    async fn a_body_of_the_proxys_own_is_one_frame_or_none() {
        let mut empty = ProxyBody::default();
        assert!(empty.is_end_stream());
        assert_eq!(empty.size_hint().exact(), Some(0));
        assert!(empty.frame().await.is_none());
        let mut own = ProxyBody::own("own".into());
        assert!(!own.is_end_stream());
        assert_eq!(own.size_hint().exact(), Some(3));
        assert_eq!(format!("{own:?}"), "ProxyBody(b\"own\")");
        assert_eq!(own.frame().await.expect("a frame").expect("data").into_data().expect("data"), "own");
        assert!(own.is_end_stream() && own.frame().await.is_none());
    }
}
