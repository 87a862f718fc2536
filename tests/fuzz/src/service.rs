//! A service that notes the requests that it gets, and answers each as its size says.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::poll_fn,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version};
use http_body::{Body, Frame, SizeHint};

/// A request, as far as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub version: Version,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: Option<HeaderMap>,
    /// Whether its body came to its end.
    pub is_whole: bool,
}

/// Requests in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct Requests(Arc<Mutex<Vec<Seen>>>);

impl Requests {
    /// All of them, once the connection is over.
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.0.lock().expect("not poisoned"))
    }

    /// Reads a request and answers it.
    pub async fn answer<B>(self, request: Request<B>) -> Result<Response<Answer>, Infallible>
    where
        B: Body<Data = Bytes>,
    {
        let (head, body) = request.into_parts();
        let number = {
            let mut all = self.0.lock().expect("not poisoned");
            all.push(Seen {
                method: head.method,
                uri: head.uri,
                version: head.version,
                headers: head.headers,
                body: Vec::new(),
                trailers: None,
                is_whole: false,
            });
            all.len() - 1
        };
        let mut body = pin!(body);
        loop {
            let frame = poll_fn(|cx| body.as_mut().poll_frame(cx)).await;
            let mut all = self.0.lock().expect("not poisoned");
            let seen = &mut all[number];
            match frame {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => seen.body.extend_from_slice(&data),
                    Err(frame) => seen.trailers = frame.into_trailers().ok(),
                },
                Some(Err(_)) => break,
                None => {
                    seen.is_whole = true;
                    break;
                }
            }
        }
        let length = self.0.lock().expect("not poisoned")[number].body.len();
        Ok(answer(number, length))
    }
}

fn answer(number: usize, length: usize) -> Response<Answer> {
    let piece = |size: usize| Bytes::from(vec![b'a' + (number % 26) as u8; size]);
    let (frames, is_sized): (Vec<_>, _) = match (number + length) % 6 {
        0 => (vec![], true),
        1 => (vec![piece(length + 1)], true),
        2 => (vec![piece(5000)], true),
        3 => (vec![], false),
        4 => (vec![piece(1), piece(length + 1), piece(4097)], false),
        _ => (vec![piece(5000), piece(2)], false),
    };
    let mut response =
        Response::builder().status(if length % 7 == 5 { 404 } else { 200 }).header("x-number", number);
    let trailers = (!is_sized && length % 2 == 1)
        .then(|| HeaderMap::from_iter([(HeaderName::from_static("x-sum"), HeaderValue::from(length))]));
    if trailers.is_some() {
        response = response.header("trailer", "x-sum");
    }
    response.body(Answer { frames: frames.into(), trailers, is_sized }).expect("a response")
}

/// The body of a response.
#[derive(Debug)]
pub struct Answer {
    frames: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    is_sized: bool,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let data = self.frames.pop_front().map(Frame::data);
        Poll::Ready(data.or_else(|| self.trailers.take().map(Frame::trailers)).map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.is_sized && self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match self.is_sized {
            true => SizeHint::with_exact(self.frames.iter().map(|frame| frame.len() as u64).sum()),
            false => SizeHint::new(),
        }
    }
}
