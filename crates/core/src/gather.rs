//! Joining the small frames of a body before they become frames of HTTP/2.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};

use crate::BoxError;

/// A frame of so many bytes goes on as it is, because to copy it would cost more than its frame of HTTP/2.
const LARGE: usize = 1024;

/// So many bytes are joined at most: the largest frame that every peer of HTTP/2 takes (RFC 9113, section 4.2).
const MOST: usize = 16 << 10;

/// What an allocation for joined frames begins with.
const FIRST: usize = 512;

/// Polls a body, and joins those of its small frames that are ready at the same time.
///
/// A frame of HTTP/2 takes memory of the peer that its window does not count, so that peers close a connection on which
/// too many small frames are unread: the h2 crate from about a hundred on. All requests of that connection fail then.
///
/// A frame that is alone is given at once: no frame waits for another one. Bytes keep their order, and trailers, errors
/// and the end stay behind them. Empty frames are left out.
#[derive(Debug, Default)]
pub struct Gather(Behind);

/// What has been taken from the body behind the frames that were joined.
#[derive(Debug, Default)]
enum Behind {
    #[default]
    Nothing,
    Frame(Result<Frame<Bytes>, BoxError>),
    End,
}

impl Gather {
    /// Whether nothing comes any more, as [`Body::is_end_stream`] says it.
    pub fn is_end_stream<B: Body>(&self, body: &B) -> bool {
        match self.0 {
            Behind::Nothing => body.is_end_stream(),
            Behind::Frame(_) => false,
            Behind::End => true,
        }
    }

    /// The body's next frame, always of the same body.
    ///
    /// # Errors
    ///
    /// Those of the body.
    pub fn poll_frame<B>(
        &mut self,
        mut body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        let first = loop {
            match self.poll_next(body.as_mut(), cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => break data,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                polled => return polled,
            }
        };
        if first.len() >= LARGE || body.is_end_stream() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let mut joined = Joined::One(first);
        while let Poll::Ready(next) = self.poll_next(body.as_mut(), cx) {
            match next.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) if data.len() < LARGE && joined.len() + data.len() <= MOST => {
                    joined.push(data);
                }
                Some(Ok(Ok(data))) => self.0 = Behind::Frame(Ok(Frame::data(data))),
                Some(Ok(Err(other))) => self.0 = Behind::Frame(Ok(other)),
                Some(Err(error)) => self.0 = Behind::Frame(Err(error)),
                None => self.0 = Behind::End,
            }
            if !matches!(self.0, Behind::Nothing) || body.is_end_stream() {
                break;
            }
        }
        Poll::Ready(Some(Ok(Frame::data(joined.into_bytes()))))
    }

    fn poll_next<B>(
        &mut self,
        body: Pin<&mut B>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        match std::mem::take(&mut self.0) {
            Behind::Nothing => body.poll_frame(cx).map_err(Into::into),
            Behind::Frame(frame) => Poll::Ready(Some(frame)),
            Behind::End => {
                self.0 = Behind::End;
                Poll::Ready(None)
            }
        }
    }
}

/// The bytes so far. A frame that stays alone is not copied.
enum Joined {
    One(Bytes),
    Many(BytesMut),
}

impl Joined {
    fn len(&self) -> usize {
        match self {
            Self::One(data) => data.len(),
            Self::Many(data) => data.len(),
        }
    }

    fn push(&mut self, data: Bytes) {
        if let Self::One(first) = self {
            let mut many = BytesMut::with_capacity(FIRST.max(first.len() + data.len()));
            many.extend_from_slice(first);
            *self = Self::Many(many);
        }
        if let Self::Many(many) = self {
            many.extend_from_slice(&data);
        }
    }

    fn into_bytes(self) -> Bytes {
        match self {
            Self::One(data) => data,
            Self::Many(data) => data.freeze(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use http::HeaderMap;
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Step {
        Data(usize),
        Pending,
        Trailers,
        Error,
    }

    /// A body that does this, and is over.
    struct Steps {
        steps: VecDeque<Step>,
        /// Whether it says that it is over before it is asked.
        foretells: bool,
        next_byte: u8,
        over: bool,
    }

    impl Steps {
        fn new(steps: &[Step], foretells: bool) -> Self {
            Self { steps: steps.iter().cloned().collect(), foretells, next_byte: 0, over: false }
        }
    }

    impl Body for Steps {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            assert!(!self.over, "it is polled after its end");
            match self.steps.pop_front() {
                Some(Step::Pending) => Poll::Pending,
                Some(Step::Data(length)) => {
                    let data = (0..length).map(|_| {
                        self.next_byte = self.next_byte.wrapping_add(1);
                        self.next_byte
                    });
                    Poll::Ready(Some(Ok(Frame::data(data.collect::<Vec<_>>().into()))))
                }
                Some(Step::Trailers) => Poll::Ready(Some(Ok(Frame::trailers(HeaderMap::new())))),
                Some(Step::Error) => Poll::Ready(Some(Err("broken"))),
                None => {
                    self.over = true;
                    Poll::Ready(None)
                }
            }
        }

        fn is_end_stream(&self) -> bool {
            self.foretells && self.steps.is_empty()
        }
    }

    /// What comes of a body, poll by poll, and its bytes.
    fn gathered(steps: &[Step], foretells: bool) -> (Vec<Step>, Vec<u8>) {
        let mut body = Steps::new(steps, foretells);
        let mut gather = Gather::default();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let (mut seen, mut bytes) = (Vec::new(), Vec::new());
        loop {
            seen.push(match gather.poll_frame(Pin::new(&mut body), &mut cx) {
                Poll::Pending => Step::Pending,
                Poll::Ready(None) => return (seen, bytes),
                Poll::Ready(Some(Err(_))) => Step::Error,
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => {
                        bytes.extend_from_slice(&data);
                        Step::Data(data.len())
                    }
                    Err(_) => Step::Trailers,
                },
            });
            if gather.is_end_stream(&body) {
                return (seen, bytes);
            }
        }
    }

    #[test]
    fn small_frames_that_are_ready_together_become_one() {
        use Step::{Data, Error, Pending, Trailers};
        for (steps, expected) in [
            (vec![Data(1); 2000], vec![Data(2000)]),
            (vec![Data(600); 30], vec![Data(27 * 600), Data(3 * 600)]),
            // A frame that is alone does not wait.
            (vec![Data(1), Pending, Data(1), Data(2)], vec![Data(1), Data(3)]),
            (vec![Data(1), Data(5000), Data(1), Data(1)], vec![Data(1), Data(5000), Data(2)]),
            (vec![Data(0), Data(0), Data(1), Data(0), Data(1), Data(0)], vec![Data(2)]),
            (vec![Data(1), Data(1), Trailers], vec![Data(2), Trailers]),
            (vec![Data(1), Data(1), Error], vec![Data(2), Error]),
        ] {
            assert_eq!(gathered(&steps, false).0, expected, "{steps:?}");
            assert_eq!(gathered(&steps, true).0, expected, "{steps:?}");
        }
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..40_usize).prop_map(Step::Data),
            2 => (900..1200_usize).prop_map(Step::Data),
            1 => (15_000..20_000_usize).prop_map(Step::Data),
            3 => Just(Step::Pending),
        ]
    }

    proptest! {
        #[test]
        fn no_byte_is_lost_or_moved(
            mut steps in prop::collection::vec(step(), 0..60),
            last in prop_oneof![Just(None), Just(Some(Step::Trailers)), Just(Some(Step::Error))],
            foretells: bool,
        ) {
            steps.extend(last.clone());
            let (seen, bytes) = gathered(&steps, foretells);
            let length: usize = steps.iter().map(|step| if let Step::Data(data) = step { *data } else { 0 }).sum();
            let expected: Vec<_> = (1..=length).map(|byte| u8::try_from(byte % 256).expect("a byte")).collect();
            prop_assert_eq!(bytes, expected);
            prop_assert_eq!(seen.contains(&Step::Trailers), last == Some(Step::Trailers));
            prop_assert_eq!(seen.contains(&Step::Error), last == Some(Step::Error));
            let joined = seen.windows(2).filter(|pair| {
                matches!(pair, [Step::Data(first), Step::Data(second)] if first + second <= 1024)
            });
            // Two small frames in a row: a poll between them found nothing.
            prop_assert!(joined.count() <= steps.iter().filter(|step| **step == Step::Pending).count());
        }
    }
}
