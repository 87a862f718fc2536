//! One request on an HTTP/2 connection.
//!
//! 1. An exchange has its stream until the head of the response has come or the request has failed. Then the stream is the
//!    response's, or it has ended.
//! 2. The head of the request is kept for as long as the request may be given back. Its body is kept by the upload.
//! 3. An exchange that is dropped before its end cancels its stream. A connection from which nothing has come since the
//!    request was sent is retired if somebody has waited for too long.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{BoxError, Error, ErrorKind};
use gatewright_http1::Rules;
use http::{HeaderMap, Request, Response};
use hyper::client::conn::{TrySendError, http2};
use tokio::time::Instant;

use super::{
    body::PoolBody,
    cancelled_stream::CancelledStream,
    capture::Taken,
    response_future::ResponseFuture,
    streams::StreamPermit,
    upload::{Upload, UploadHandle},
};
use crate::{SendError, response_timer::ResponseTimer};

/// A request on its way. Dropped, it cancels its stream.
pub(super) struct Exchange<B: Send + 'static> {
    /// `None` from the end on.
    stream: Option<(ResponseFuture<B>, StreamPermit<B>)>,
    upload: Option<UploadHandle<B>>,
    /// The request, in case the endpoint does not process it. The body is in it when the body is empty.
    request: Option<Box<Request<Option<B>>>>,
    /// How many bytes had left on the connection before the request.
    written: u64,
    /// How many bytes had come on the connection before the request.
    read: u64,
    timer: ResponseTimer,
    /// Whether the time for the response has run out.
    overdue: bool,
}

impl<B: Send + 'static> Exchange<B> {
    /// Ready at `due`.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        ready!(self.timer.poll(cx, due));
        self.overdue = true;
        Poll::Ready(())
    }
}

impl<B> Exchange<B>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(
        mut sender: http2::SendRequest<Upload<B>>,
        permit: StreamPermit<B>,
        request: Request<B>,
    ) -> Self {
        let (parts, body) = request.into_parts();
        let (upload, handle, empty) = if body.is_end_stream() {
            (Upload::empty(), None, Some(body))
        } else {
            let (upload, handle) = Upload::new(body);
            (upload, Some(handle), None)
        };
        let mut kept = Request::new(empty);
        *kept.method_mut() = parts.method.clone();
        *kept.uri_mut() = parts.uri.clone();
        *kept.headers_mut() = parts.headers.clone();
        let (written, read) = (permit.written(), permit.read());
        let sent = Box::pin(sender.try_send_request(Request::from_parts(parts, upload)));
        Self {
            stream: Some((sent, permit)),
            upload: handle,
            request: Some(Box::new(kept)),
            written,
            read,
            timer: ResponseTimer::default(),
            overdue: false,
        }
    }

    fn fail(&mut self, failure: TrySendError<Request<Upload<B>>>, permit: &StreamPermit<B>) -> SendError<B> {
        let left = permit.written() != self.written;
        SendError::of_http2(failure, left, self.take_request())
    }

    /// The request and the part of its body that was taken, when nothing of it is lost.
    fn take_request(&mut self) -> Option<(Request<B>, Taken)> {
        let (parts, empty) = self.request.take()?.into_parts();
        let (body, taken) = match empty {
            Some(body) => (body, Taken::default()),
            None => self.upload.as_ref()?.take_back()?,
        };
        Some((Request::from_parts(parts, body), taken))
    }
}

impl<B> Future for Exchange<B>
where
    B: http_body::Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<PoolBody<B>>, SendError<B>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(upload) = &this.upload
            && let Poll::Ready(error) = upload.poll_failure(cx)
        {
            return Poll::Ready(Err(SendError::new(error)));
        }
        let (sent, _) = this.stream.as_mut().expect("a future is not polled after it has completed");
        let outcome = ready!(sent.as_mut().poll(cx));
        let (_, permit) = this.stream.take().expect("it was there above");
        Poll::Ready(match outcome {
            Ok(response) => {
                permit.note_answered();
                let upload = this.upload.take();
                if let Some(upload) = &upload {
                    upload.forget();
                }
                if let Err(error) = check(response.headers(), permit.rules()) {
                    CancelledStream::answered(response.into_body(), upload).release(permit);
                    return Poll::Ready(Err(SendError::new(error)));
                }
                Ok(response.map(|body| PoolBody::http2(body, permit, upload)))
            }
            Err(failure) => Err(this.fail(failure, &permit)),
        })
    }
}

/// Checks the fields of a response against the limits. h2 has a limit of its own, and counts in another way.
fn check(headers: &HeaderMap, rules: &Rules) -> Result<(), Error> {
    let size = || headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum::<usize>();
    let why = if headers.len() > usize::from(rules.max_fields) {
        "the response has too many fields (max_response_headers)"
    } else if size() > rules.max_head {
        "the response's fields are too large (max_response_head)"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Protocol, why))
}

impl<B: Send + 'static> Drop for Exchange<B> {
    fn drop(&mut self) {
        if let Some((sent, permit)) = self.stream.take() {
            if self.overdue && permit.read() == self.read {
                permit.retire_silent();
            }
            CancelledStream::unanswered(sent, self.upload.take()).release(permit);
        }
    }
}
