//! Keeps the part of a request's body that was taken, for as long as the request may have to be sent again.
//!
//! An HTTP/2 endpoint may say late that it has not processed a request, when the body has left already. So the bytes are
//! copied on their way, up to [`MAX_KEPT`]. A longer body is not kept, and no body is kept once the response has begun.
//!
//! hyper asks for a frame when the one before has gone to h2, and holds it until h2 has room for some of it. So a frame
//! that goes beyond [`MAX_KEPT`] is cut there, and one more frame is kept beside what was copied: while hyper has asked for no
//! further one, no more than [`MAX_KEPT`] bytes have left.

use std::{
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use gatewright_core::BoxError;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

/// How many bytes of one body are kept at most, trailers included.
const MAX_KEPT: usize = 64 << 10;

/// The part of a request's body that was taken before the request was given back. It is sent before the rest.
#[derive(Debug, Default)]
pub struct Taken {
    data: Bytes,
    /// The frame after `data`. No byte of it has left.
    ahead: Bytes,
    end: Option<Option<HeaderMap>>,
}

impl Taken {
    /// How many bytes were taken.
    pub fn size(&self) -> usize {
        self.data.len() + self.ahead.len()
    }

    /// Whether nothing was taken, neither bytes nor the end.
    pub fn is_nothing(&self) -> bool {
        self.size() == 0 && self.end.is_none()
    }

    /// Whether the body's end was taken too. The rest must not be polled then.
    pub fn is_all(&self) -> bool {
        self.end.is_some()
    }

    /// The next frame of the part that was taken; `None` after the last one.
    pub fn next_frame(&mut self) -> Option<Frame<Bytes>> {
        for data in [&mut self.data, &mut self.ahead] {
            if !data.is_empty() {
                return Some(Frame::data(mem::take(data)));
            }
        }
        self.end.as_mut()?.take().map(Frame::trailers)
    }

    /// Whether [`next_frame`](Self::next_frame) has more frames to give.
    pub fn has_frames(&self) -> bool {
        self.size() > 0 || matches!(self.end, Some(Some(_)))
    }

    /// Puts this part of a body before a later part of the same body.
    #[must_use]
    pub fn before(self, later: Self) -> Self {
        let mut parts =
            [self.data, self.ahead, later.data, later.ahead].into_iter().filter(|part| !part.is_empty());
        let (data, ahead) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let ahead = parts.fold(ahead, |ahead, part| [ahead, part].concat().into());
        Self { data, ahead, end: self.end.or(later.end) }
    }
}

/// A body that keeps what was taken of it.
pub(super) struct Captured<B> {
    body: B,
    /// The bytes behind the cut, which have not been given yet.
    cut: Bytes,
    /// The next poll is a new one, and not part of a loop that joins frames.
    paused: bool,
    /// `None` when the body is not kept any longer.
    memory: Option<Memory>,
}

#[derive(Default)]
struct Memory {
    data: BytesMut,
    /// The frame after `data`, once `data` is full.
    ahead: Bytes,
    end: Option<Option<HeaderMap>>,
}

impl Memory {
    fn room(&self) -> usize {
        MAX_KEPT - self.data.len()
    }

    /// Keeps one more frame. Says whether there was room.
    fn note(&mut self, frame: &Frame<Bytes>) -> bool {
        let room = self.room();
        if let Some(data) = frame.data_ref() {
            if room == 0 {
                self.ahead = data.clone();
            } else {
                self.data.extend_from_slice(data);
            }
            return true;
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
        Self { body, cut: Bytes::new(), paused: false, memory: Some(Memory::default()) }
    }

    /// Keeps nothing any longer: the request is not sent again.
    pub(super) fn forget(&mut self) {
        self.memory = None;
    }

    /// The rest of the body and the part that was taken, when that part has been kept.
    pub(super) fn into_parts(self) -> Option<(B, Taken)> {
        let Memory { data, ahead, end } = self.memory?;
        let ahead = if ahead.is_empty() { self.cut } else { ahead };
        Some((self.body, Taken { data: data.freeze(), ahead, end }))
    }

    /// Cuts a frame where the memory is full. Returns the part before the cut.
    fn cut(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let room = self.memory.as_ref().map_or(0, Memory::room);
        match frame.into_data() {
            Ok(mut data) if (1..data.len()).contains(&room) => {
                self.cut = data.split_off(room);
                Frame::data(data)
            }
            Ok(data) => Frame::data(data),
            Err(frame) => frame,
        }
    }

    /// Once the memory is full, each frame needs a new poll, since one loop of polls joins several frames. When a frame is
    /// asked for after the one that is kept ahead, the body is not kept any longer.
    fn poll_beyond(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Some(memory) = &self.memory else { return Poll::Ready(()) };
        if memory.room() > 0 {
            return Poll::Ready(());
        }
        if !self.paused {
            self.paused = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if !memory.ahead.is_empty() {
            self.memory = None;
        }
        Poll::Ready(())
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
        ready!(this.poll_beyond(cx));
        let polled = if this.cut.is_empty() {
            ready!(Pin::new(&mut this.body).poll_frame(cx)).map(|frame| frame.map(|frame| this.cut(frame)))
        } else {
            Some(Ok(Frame::data(mem::take(&mut this.cut))))
        };
        this.paused = false;
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
        self.cut.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let cut = self.cut.len() as u64;
        let mut hint = self.body.size_hint();
        // The upper bound first: the lower one must not go beyond it.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(cut));
        }
        hint.set_lower(hint.lower().saturating_add(cut));
        hint
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
        for length in [1, 10, 10_000, MAX_KEPT] {
            let (rest, taken) = taken(AnyBody::once(vec![b'x'; length]), 1).await.expect("is kept");
            assert_eq!(taken.size(), length);
            assert!(!taken.is_nothing() && rest.is_end_stream());
        }
        // Beyond it, as long as no frame is asked for after the one that may be held.
        for (frames, expected) in [(1, Some((MAX_KEPT, 1))), (2, Some((MAX_KEPT, 1))), (3, None)] {
            let taken = taken(AnyBody::once(vec![b'x'; MAX_KEPT + 1]), frames).await;
            assert_eq!(taken.map(|(_, taken)| (taken.data.len(), taken.ahead.len())), expected);
        }
    }

    #[tokio::test]
    async fn no_byte_is_lost_or_moved_at_the_cut() {
        for lengths in
            [&[MAX_KEPT, 1][..], &[MAX_KEPT - 1, 2], &[1, 3 * MAX_KEPT], &[3 * MAX_KEPT, 1], &[10; 10_000]]
        {
            let sent: Vec<u8> = (0..lengths.iter().sum::<usize>()).map(|at| at as u8).collect();
            let frames = || {
                let mut rest = Bytes::from(sent.clone());
                Frames(lengths.iter().map(|length| Ok(rest.split_to(*length))).collect())
            };
            let mut given = Vec::new();
            let mut captured = Captured::new(frames());
            while let Some(frame) = captured.frame().await {
                given.extend_from_slice(&frame.expect("is sound").into_data().expect("is data"));
            }
            assert!(given == sent, "{lengths:?}");
            // Given back after any number of frames.
            for asked in [1, 2, 6_553, 6_554, 6_555, 6_556] {
                let mut captured = Captured::new(frames());
                for _ in 0..asked {
                    let _ = captured.frame().await;
                }
                let Some((mut rest, mut taken)) = captured.into_parts() else { continue };
                let mut again = Vec::new();
                while let Some(frame) = taken.next_frame() {
                    again.extend_from_slice(&frame.into_data().expect("is data"));
                }
                while let Some(frame) = rest.frame().await {
                    again.extend_from_slice(&frame.expect("is sound").into_data().expect("is data"));
                }
                assert!(again == sent, "{lengths:?}, {asked}");
            }
        }
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
        trailers.insert("x-long", "x".repeat(MAX_KEPT).parse().expect("a value"));
        let body = Full::new(Bytes::from("x")).with_trailers(std::future::ready(Some(Ok(trailers))));
        assert!(taken(AnyBody::new(body), 2).await.is_none());
    }

    #[tokio::test]
    async fn after_a_failure_nothing_is_kept() {
        let failing = Frames([Ok(Bytes::from("x")), Err("broken".into())].into());
        assert!(taken(AnyBody::new(failing), 2).await.is_none());
    }

    struct Frames(std::collections::VecDeque<Result<Bytes, BoxError>>);

    impl Body for Frames {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            Poll::Ready(self.0.pop_front().map(|data| data.map(Frame::data)))
        }
    }

    #[test]
    fn what_is_taken_twice_keeps_its_order() {
        let taken = |data: &'static str, ahead: &'static str, end: bool| Taken {
            data: data.into(),
            ahead: ahead.into(),
            end: end.then_some(None),
        };
        let all = |mut taken: Taken| {
            let frames = std::iter::from_fn(|| taken.next_frame()?.into_data().ok());
            frames.collect::<Vec<_>>().concat()
        };
        let both = taken("a", "", false).before(taken("b", "", true));
        assert!(both.is_all());
        assert_eq!(all(both), b"ab");
        for (first, second, expected) in [
            (("", ""), ("b", ""), "b"),
            (("a", ""), ("", ""), "a"),
            (("a", "b"), ("c", "d"), "abcd"),
            (("a", ""), ("c", "d"), "acd"),
            (("a", "b"), ("", "d"), "abd"),
        ] {
            let both = taken(first.0, first.1, false).before(taken(second.0, second.1, false));
            assert_eq!((both.size(), all(both)), (expected.len(), expected.as_bytes().to_vec()));
        }
    }
}
