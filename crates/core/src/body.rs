//! The one concrete body.

use std::{
    any::Any,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use crate::{BoxError, Error, Lease, ResponseBody};

/// The body that the router and the binary name, where layers stay generic.
///
/// Empty bodies, bodies of one chunk and bodies that hyper received are held in place; any other one is boxed
/// once. Every frame passes through as it came, trailers too.
pub struct Body(Kind);

enum Kind {
    Empty,
    Once(Bytes),
    Incoming(Incoming),
    Boxed(Pin<Box<dyn http_body::Body<Data = Bytes, Error = Error> + Send>>),
}

impl Body {
    /// A body without a byte.
    pub const fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// A body of one chunk.
    pub fn once(chunk: impl Into<Bytes>) -> Self {
        let chunk = chunk.into();
        if chunk.is_empty() { Self::empty() } else { Self(Kind::Once(chunk)) }
    }

    /// Wraps any body. One that is a [`Body`] already, or that hyper received, is taken as it is.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let body = match downcast::<_, Self>(body) {
            Ok(body) => return body,
            Err(body) => body,
        };
        let body = match downcast::<_, Incoming>(body) {
            Ok(body) => return Self(Kind::Incoming(body)),
            Err(body) => body,
        };
        // A stack of policies nests its bodies; unwrapping them here saves a box for every request.
        let body = match downcast::<_, ResponseBody<Self>>(body) {
            Ok(body) => return body.into_body(),
            Err(body) => body,
        };
        let body = match downcast::<_, ResponseBody<ResponseBody<Self>>>(body) {
            Ok(body) => return body.into_body(),
            Err(body) => body,
        };
        if body.is_end_stream() {
            return Self::empty();
        }
        Self(Kind::Boxed(Box::pin(Unified { body })))
    }

    /// The same body, with a lease that ends when the body has ended, has failed or is dropped.
    pub(crate) fn with_lease(self, lease: Lease) -> Self {
        if http_body::Body::is_end_stream(&self) {
            return self;
        }
        Self(Kind::Boxed(Box::pin(ResponseBody::leased(self, Some(lease)))))
    }
}

/// Gives `body` as a `T` when that is what it is; the types decide, so this costs nothing at run time.
fn downcast<B: 'static, T: 'static>(body: B) -> Result<T, B> {
    let mut slot = Some(body);
    match (&mut slot as &mut dyn Any).downcast_mut::<Option<T>>() {
        Some(found) => match found.take() {
            Some(found) => Ok(found),
            None => unreachable!("the slot was filled above"),
        },
        None => match slot {
            Some(body) => Err(body),
            None => unreachable!("the slot was filled above"),
        },
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Once(chunk) => {
                let chunk = std::mem::take(chunk);
                self.0 = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
            Kind::Incoming(body) => Pin::new(body).poll_frame(cx).map_err(Error::from_body),
            Kind::Boxed(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Once(_) => false,
            Kind::Incoming(body) => body.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Once(chunk) => SizeHint::with_exact(chunk.len() as u64),
            Kind::Incoming(body) => body.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

pin_project_lite::pin_project! {
    /// Any body, with its error made ours.
    struct Unified<B> {
        #[pin]
        body: B,
    }
}

impl<B> http_body::Body for Unified<B>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.project().body.poll_frame(cx).map_err(Error::from_body)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for Body {
    fn from(chunk: Bytes) -> Self {
        Self::once(chunk)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::once(text)
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Self::once(text)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.0 {
            Kind::Empty => "empty",
            Kind::Once(_) => "once",
            Kind::Incoming(_) => "incoming",
            Kind::Boxed(_) => "boxed",
        };
        f.debug_tuple("Body").field(&kind).finish()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[test]
    fn a_body_of_ours_is_not_boxed_again() {
        let nested = Body::new(ResponseBody::inner(ResponseBody::inner(Body::once("x"))));
        assert!(matches!(nested.0, Kind::Once(_)));
        assert!(matches!(Body::new(Full::new(Bytes::from("x"))).0, Kind::Boxed(_)));
        assert!(matches!(Body::new(Full::new(Bytes::new())).0, Kind::Empty));
    }

    #[tokio::test]
    async fn trailers_pass_through() {
        let mut trailers = http::HeaderMap::new();
        trailers.insert("x-sum", http::HeaderValue::from_static("1"));
        let with = Full::new(Bytes::from("x")).with_trailers(std::future::ready(Some(Ok(trailers.clone()))));
        let collected = Body::new(with).collect().await.expect("collects");
        assert_eq!(collected.trailers(), Some(&trailers));
        assert_eq!(collected.to_bytes(), "x");
    }
}
