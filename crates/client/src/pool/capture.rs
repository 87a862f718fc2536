//! What has been taken of a request's body, kept for as long as the request may have to be sent again.
//!
//! An HTTP/2 endpoint says late that it has not processed a request: the body may have left by then. So its bytes are
//! copied on their way, up to [`MOST`] of them. A longer body is not kept any more, nor is any from the response's head on.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use gatewright_core::BoxError;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// So many bytes of one body are kept at most, trailers included.
const MOST: usize = 64 << 10;

/// What was taken of a request's body before the request was given back: it is to be sent before the rest.
#[derive(Debug, Default)]
pub struct Taken {
    data: Bytes,
    end: Option<Option<HeaderMap>>,
}

impl Taken {
    /// The bytes that were taken.
    pub fn data(&self) -> &Bytes {
        &self.data
    }

    /// Whether nothing was taken, neither bytes nor the end.
    pub fn is_nothing(&self) -> bool {
        self.data.is_empty() && self.end.is_none()
    }

    /// Whether the body's end was taken too, so that the rest is not to be asked for anything.
    pub fn is_all(&self) -> bool {
        self.end.is_some()
    }

    /// The next frame of what was taken; `None` when all of it has been given. The bytes are one frame.
    pub fn next_frame(&mut self) -> Option<Frame<Bytes>> {
        if !self.data.is_empty() {
            return Some(Frame::data(mem::take(&mut self.data)));
        }
        self.end.as_mut()?.take().map(Frame::trailers)
    }

    /// Whether frames are left to be given.
    pub fn has_frames(&self) -> bool {
        !self.data.is_empty() || matches!(self.end, Some(Some(_)))
    }

    /// Puts what was taken of a body before what is left of an earlier taking of the same body.
    #[must_use]
    pub fn before(self, later: Self) -> Self {
        let data = match (self.data.is_empty(), later.data.is_empty()) {
            (_, true) => self.data,
            (true, false) => later.data,
            (false, false) => [self.data, later.data].concat().into(),
        };
        Self { data, end: self.end.or(later.end) }
    }
}

/// A body that remembers what was taken of it.
pub(super) struct Captured<B> {
    body: B,
    /// `None` when it is not remembered any more.
    memory: Option<Memory>,
}

#[derive(Default)]
struct Memory {
    data: BytesMut,
    end: Option<Option<HeaderMap>>,
}

impl Memory {
    /// Remembers one more frame. Says whether there was room.
    fn note(&mut self, frame: &Frame<Bytes>) -> bool {
        let room = MOST - self.data.len();
        if let Some(data) = frame.data_ref() {
            let fits = data.len() <= room;
            if fits {
                self.data.extend_from_slice(data);
            }
            return fits;
        }
        if let Some(trailers) = frame.trailers_ref() {
            let size: usize = trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
            let fits = size <= room;
            if fits {
                self.end = Some(Some(trailers.clone()));
            }
            return fits;
        }
        true
    }
}

impl<B> Captured<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body, memory: Some(Memory::default()) }
    }

    /// Remembers nothing any more: the request is not sent again.
    pub(super) fn forget(&mut self) {
        self.memory = None;
    }

    /// The rest of the body and what was taken of it, when that is known.
    pub(super) fn into_parts(self) -> Option<(B, Taken)> {
        let Memory { data, end } = self.memory?;
        Some((self.body, Taken { data: data.freeze(), end }))
    }
}

impl<B> Body for Captured<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = &mut *self;
        let polled = ready!(Pin::new(&mut this.body).poll_frame(cx));
        match (&mut this.memory, &polled) {
            (None, _) => {}
            (Some(memory), None) => {
                memory.end.get_or_insert(None);
            }
            (Some(memory), Some(Ok(frame))) => {
                if !memory.note(frame) {
                    this.memory = None;
                }
            }
            (Some(_), Some(Err(_))) => this.memory = None,
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use gatewright_core::Body as AnyBody;
    use http_body_util::{BodyExt, Full};

    use super::*;

    async fn taken(body: AnyBody, frames: usize) -> Option<(AnyBody, Taken)> {
        let mut captured = Captured::new(body);
        for _ in 0..frames {
            let _ = captured.frame().await;
        }
        captured.into_parts()
    }

    #[tokio::test]
    async fn up_to_the_cap_a_body_is_kept() {
        for length in [1, 10, 10_000, MOST] {
            let (rest, taken) = taken(AnyBody::once(vec![b'x'; length]), 1).await.expect("is kept");
            assert_eq!(taken.data().len(), length);
            assert!(!taken.is_nothing() && rest.is_end_stream());
        }
        assert!(taken(AnyBody::once(vec![b'x'; MOST + 1]), 1).await.is_none());
    }

    #[tokio::test]
    async fn what_was_not_taken_is_in_the_rest() {
        let (rest, taken) = taken(AnyBody::once("all"), 0).await.expect("is kept");
        assert!(taken.is_nothing() && !taken.is_all());
        assert_eq!(rest.collect().await.expect("a body").to_bytes(), "all");
    }

    #[tokio::test]
    async fn trailers_and_the_end_are_kept() {
        let mut fields = HeaderMap::new();
        fields.insert("x-sum", http::HeaderValue::from_static("1"));
        let trailers = fields.clone();
        let body = Full::new(Bytes::from("x")).with_trailers(std::future::ready(Some(Ok(trailers))));
        let (_, mut taken) = taken(AnyBody::new(body), 2).await.expect("is kept");
        assert!(taken.is_all() && taken.has_frames());
        assert_eq!(taken.next_frame().and_then(|frame| frame.into_data().ok()).as_deref(), Some(&b"x"[..]));
        assert_eq!(taken.next_frame().and_then(|frame| frame.into_trailers().ok()), Some(fields));
        assert!(taken.next_frame().is_none() && taken.is_all() && !taken.has_frames());
    }

    #[tokio::test]
    async fn trailers_beyond_the_cap_are_not_kept() {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-long", "x".repeat(MOST).parse().expect("a value"));
        let body = Full::new(Bytes::from("x")).with_trailers(std::future::ready(Some(Ok(trailers))));
        assert!(taken(AnyBody::new(body), 2).await.is_none());
    }

    #[tokio::test]
    async fn after_a_failure_nothing_is_kept() {
        assert!(taken(AnyBody::new(Failing(0)), 2).await.is_none());
    }

    /// A frame and a failure.
    struct Failing(u8);

    impl Body for Failing {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            self.0 += 1;
            Poll::Ready(Some(if self.0 == 1 {
                Ok(Frame::data(Bytes::from("x")))
            } else {
                Err("broken".into())
            }))
        }
    }

    #[test]
    fn what_is_taken_twice_keeps_its_order() {
        let taken = |data: &'static str, end: bool| Taken { data: data.into(), end: end.then_some(None) };
        let both = taken("a", false).before(taken("b", true));
        assert_eq!((&both.data[..], both.is_all()), (&b"ab"[..], true));
        assert_eq!(taken("", false).before(taken("b", false)).data, "b");
        assert_eq!(taken("a", false).before(taken("", false)).data, "a");
    }
}
