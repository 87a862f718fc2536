//! A response's body on its way through.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use gatewright_client::PoolBody;
use gatewright_core::{Error, ErrorKind, hop_by_hop};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::{request_body::RequestBody, upstream::Pick};

/// The body of an upstream's response. It fails when the upstream is silent for too long or ends it early.
pub struct ProxyBody {
    content: Content,
    // Set when the body has to be waited for the first time. For a short body it never is.
    idle: Option<Pin<Box<Sleep>>>,
}

enum Content {
    Upstream(Upstream),
    /// The proxy's own, where the proxy answers by itself. Empty when the body has ended or failed.
    Own(Bytes),
}

/// A body that an endpoint sends.
struct Upstream {
    body: PoolBody<RequestBody>,
    /// There until the body ends.
    pick: Option<Pick>,
    idle_timeout: Duration,
}

impl ProxyBody {
    /// The rest of a response, whose endpoint may be silent for this long.
    pub(crate) fn new(body: PoolBody<RequestBody>, pick: Pick, idle_timeout: Duration) -> Self {
        Self { content: Content::Upstream(Upstream { body, pick: Some(pick), idle_timeout }), idle: None }
    }

    pub(crate) fn own(content: Bytes) -> Self {
        Self { content: Content::Own(content), idle: None }
    }

    pub(crate) fn empty() -> Self {
        Self::own(Bytes::new())
    }

    /// Ends the body. The upstream's part of it is gone then, if there was one.
    fn end(&mut self) -> Option<Pick> {
        let Content::Upstream(upstream) = &mut self.content else { return None };
        let pick = upstream.pick.take();
        self.content = Content::Own(Bytes::new());
        pick
    }

    fn fail(&mut self, error: Error) -> Error {
        if let Some(pick) = self.end() {
            pick.fail(&error);
        }
        error
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
        let upstream = match &mut this.content {
            Content::Upstream(upstream) => upstream,
            Content::Own(content) if content.is_empty() => return Poll::Ready(None),
            Content::Own(content) => return Poll::Ready(Some(Ok(Frame::data(mem::take(content))))),
        };
        let timeout = upstream.idle_timeout;
        if let Poll::Ready(frame) = Pin::new(&mut upstream.body).poll_frame(cx) {
            let has_ended = upstream.body.is_end_stream();
            if let Some(idle) = &mut this.idle {
                idle.as_mut().reset(Instant::now() + timeout);
            }
            return Poll::Ready(match frame {
                Some(Ok(mut frame)) => {
                    if let Some(trailers) = frame.trailers_mut() {
                        hop_by_hop::remove_from_trailers(trailers);
                    }
                    // Most servers do not ask for the end when the last frame is known to be the last.
                    if has_ended && let Some(pick) = this.end() {
                        pick.complete();
                    }
                    Some(Ok(frame))
                }
                Some(Err(error)) => Some(Err(this.fail(error))),
                None => {
                    if let Some(pick) = this.end() {
                        pick.complete();
                    }
                    None
                }
            });
        }
        let idle = this.idle.get_or_insert_with(|| Box::pin(tokio::time::sleep(timeout)));
        if idle.as_mut().poll(cx).is_ready() {
            let silence = format!("the response's body was silent for {timeout:?}");
            return Poll::Ready(Some(Err(this.fail(Error::new(ErrorKind::IdleTimeout, silence)))));
        }
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Upstream(upstream) => upstream.body.is_end_stream(),
            Content::Own(content) => content.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Upstream(upstream) => upstream.body.size_hint(),
            Content::Own(content) => SizeHint::with_exact(content.len() as u64),
        }
    }
}

impl fmt::Debug for ProxyBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let content: &dyn fmt::Debug = match &self.content {
            Content::Upstream(upstream) => &upstream.body,
            Content::Own(content) => content,
        };
        f.debug_tuple("ProxyBody").field(content).finish()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

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
