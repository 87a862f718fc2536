//! A request's body that is kept as it streams, so that the request can be sent again.
//!
//! 1. A frame goes on as soon as it has been copied. Nothing waits for the copy, and the endpoint holds the client back
//!    as before.
//! 2. At most `cap` bytes are kept, trailers included. A body that goes beyond is not kept any more, and its request is
//!    not sent again.
//! 3. One attempt at a time reads the body. From the moment at which another attempt begins, an earlier one gets an
//!    error, so that no byte of the client goes to an attempt that was given up.
//! 4. Nothing is kept any more once the response is final, or once the body has failed.
//!
//! The bytes are copied, since a frame is a slice of a read buffer and would keep all of it.

use std::{
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::{Bytes, BytesMut};
use gatewright_core::{Body, Error, ErrorKind};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::request_body::RequestBody;

/// A body that may be needed again.
pub(crate) struct Replay(Arc<Mutex<Shared>>);

struct Shared {
    /// The client's body, as far as no attempt has read it.
    rest: RequestBody,
    kept: Option<Kept>,
    cap: usize,
    /// The number of the attempt that reads.
    attempt: u32,
}

/// What the attempts so far have read.
#[derive(Default)]
struct Kept {
    data: BytesMut,
    /// There when the end has come, with the trailers if there were any.
    end: Option<Option<HeaderMap>>,
}

/// The body as one attempt reads it.
struct Attempt {
    /// What earlier attempts have read.
    data: Bytes,
    end: Option<Option<HeaderMap>>,
    shared: Arc<Mutex<Shared>>,
    number: u32,
}

impl Replay {
    /// Keeps up to `cap` bytes of a body. Gives the body as the first attempt reads it.
    pub(crate) fn keep(body: RequestBody, cap: usize) -> (Self, RequestBody) {
        let shared = Shared { rest: body, kept: Some(Kept::default()), cap, attempt: 0 };
        let shared = Arc::new(Mutex::new(shared));
        let first = Attempt { data: Bytes::new(), end: None, shared: Arc::clone(&shared), number: 0 };
        (Self(shared), first.into_body())
    }

    /// Whether all that was read is kept.
    pub(crate) fn is_whole(&self) -> bool {
        lock(&self.0).kept.is_some()
    }

    /// The body from its beginning, for one more attempt; `None` when it is not kept any more.
    pub(crate) fn again(&self) -> Option<RequestBody> {
        let mut shared = lock(&self.0);
        let kept = shared.kept.as_ref()?;
        let (data, end) = (Bytes::copy_from_slice(&kept.data), kept.end.clone());
        shared.attempt += 1;
        let number = shared.attempt;
        drop(shared);
        Some(Attempt { data, end, shared: Arc::clone(&self.0), number }.into_body())
    }

    /// Keeps nothing any more: the request is not sent again.
    pub(crate) fn forget(&self) {
        lock(&self.0).kept = None;
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn keep(&mut self, polled: Option<&Result<Frame<Bytes>, Error>>) {
        let cap = self.cap;
        let Some(kept) = &mut self.kept else { return };
        let fits = match polled {
            None => {
                kept.end.get_or_insert(None);
                true
            }
            Some(Ok(frame)) => kept.note(frame, cap),
            Some(Err(_)) => false,
        };
        if !fits {
            self.kept = None;
        }
    }
}

impl Kept {
    /// Keeps one more frame. Says whether there was room.
    fn note(&mut self, frame: &Frame<Bytes>, cap: usize) -> bool {
        let room = cap - self.data.len();
        if let Some(data) = frame.data_ref() {
            let fits = data.len() <= room;
            if fits {
                self.data.extend_from_slice(data);
            }
            return fits;
        }
        let Some(trailers) = frame.trailers_ref() else { return true };
        let size: usize = trailers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        self.end = Some(Some(trailers.clone()));
        size <= room
    }
}

impl Attempt {
    fn into_body(self) -> RequestBody {
        RequestBody::new(Body::new(self), None)
    }
}

impl HttpBody for Attempt {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        if !this.data.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(mem::take(&mut this.data)))));
        }
        if let Some(trailers) = &mut this.end {
            return Poll::Ready(trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
        }
        let mut shared = lock(&this.shared);
        if shared.attempt != this.number {
            let why = "the request was sent again meanwhile";
            return Poll::Ready(Some(Err(Error::new(ErrorKind::RequestBody, why))));
        }
        let polled = ready!(Pin::new(&mut shared.rest).poll_frame(cx));
        shared.keep(polled.as_ref());
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_empty()
            && match &self.end {
                Some(trailers) => trailers.is_none(),
                None => lock(&self.shared).rest.is_end_stream(),
            }
    }

    fn size_hint(&self) -> SizeHint {
        let kept = self.data.len() as u64;
        let mut size = match &self.end {
            Some(None) => SizeHint::with_exact(0),
            // A body with trailers is not sent by its length.
            Some(Some(_)) => SizeHint::new(),
            None => lock(&self.shared).rest.size_hint(),
        };
        // The upper bound first: the lower one must not go beyond it.
        if let Some(upper) = size.upper() {
            size.set_upper(upper.saturating_add(kept));
        }
        size.set_lower(size.lower().saturating_add(kept));
        size
    }
}
