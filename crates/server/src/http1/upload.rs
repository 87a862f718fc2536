//! Reading the body of a request from the connection.

use std::task::{Context, Poll};

use gatewright_core::{Body, BoxError, Error, ErrorKind};
use gatewright_http1::{BodyLength, BodyReader, Piece, RequestHead, Violation};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    body,
    connection::{Connection, Open, Upload},
};
use crate::service::Application;

/// A body that is read in large pieces is read in larger ones.
const LARGEST_READ: usize = 64 * 1024;
/// So much of a body that nobody wants is thrown away to keep the connection, before the response says whether it stays.
const MAX_DRAINED: usize = 64 * 1024;

/// A chunked body of nothing.
const NO_CHUNKS: &[u8] = b"0\r\n\r\n";

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl<S, T> Connection<S, T>
where
    S: Application,
    T: AsyncRead + AsyncWrite + Unpin,
{
    /// The body of the request whose head has just been read.
    pub(super) fn begin_upload(&mut self, head: &RequestHead, cx: &Context<'_>) -> Body {
        self.body = BodyReader::new(head.body);
        if let BodyLength::Known(length) = head.body
            && length <= self.input.len() as u64
            && let Ok(Piece::Data(data)) = self.body.next(&mut self.input, self.reader.rules())
        {
            self.upload = Upload::Done;
            return Body::once(data);
        }
        if let BodyLength::Chunked = head.body
            && self.input.starts_with(NO_CHUNKS)
            && let Ok(Piece::End) = self.body.next(&mut self.input, self.reader.rules())
        {
            self.upload = Upload::Done;
            return Body::empty();
        }
        let (sender, receiver) = body::channel(self.body.left(), cx.waker());
        self.upload = Upload::Open(Open { sender, expects_continue: head.expects_continue });
        Body::new(receiver)
    }

    /// Reads what is wanted of the body. True when it is this task that waits for it.
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) -> bool {
        let Upload::Open(open) = &mut self.upload else { return false };
        if !open.sender.is_wanted() {
            return false;
        }
        if std::mem::take(&mut open.expects_continue) && self.input.is_empty() && !self.is_responding() {
            self.out.put(CONTINUE);
        }
        let mut given = false;
        // The end is looked for together with the data, so that it is known as soon as it is there.
        while !(given && self.body.has_more_data()) {
            match self.body.next(&mut self.input, self.reader.rules()) {
                Ok(Piece::Data(data)) => {
                    self.activity.body_awaited.clear();
                    self.with_sender(|sender| sender.push(data));
                    given = true;
                }
                Ok(Piece::Trailers(trailers)) => {
                    return self.end_upload(cx, |sender| sender.end(Some(trailers)));
                }
                Ok(Piece::End) => return self.end_upload(cx, |sender| sender.end(None)),
                Ok(Piece::More(_)) if given => break,
                Ok(Piece::More(_)) => match self.poll_read(cx) {
                    Poll::Ready(Ok(1..)) => {
                        self.activity.body_awaited.clear();
                        if self.input.len() == self.input.capacity() {
                            self.read_size = (self.read_size * 2).min(LARGEST_READ);
                        }
                    }
                    Poll::Ready(Ok(_)) => return self.fail_upload(cx, "the client closed the connection"),
                    Poll::Ready(Err(error)) => return self.fail_upload(cx, error),
                    Poll::Pending => {
                        self.activity.begin(&self.activity.body_awaited);
                        return false;
                    }
                },
                Err(violation) => return self.refuse_upload(cx, violation),
            }
            if given && self.body.is_ended() {
                return self.end_upload(cx, |sender| sender.end(None));
            }
        }
        self.notify(cx)
    }

    fn with_sender(&self, tell: impl FnOnce(&body::Sender)) {
        if let Upload::Open(open) = &self.upload {
            tell(&open.sender);
        }
    }

    fn notify(&self, cx: &Context<'_>) -> bool {
        match &self.upload {
            Upload::Open(open) => open.sender.notify(cx),
            Upload::Done | Upload::Failed => false,
        }
    }

    fn end_upload(&mut self, cx: &Context<'_>, tell: impl FnOnce(&body::Sender)) -> bool {
        self.with_sender(tell);
        let waits = self.notify(cx);
        self.upload = Upload::Done;
        waits
    }

    fn fail_upload(&mut self, cx: &Context<'_>, why: impl Into<BoxError>) -> bool {
        self.activity.body_awaited.clear();
        self.with_sender(|sender| sender.fail(Error::new(ErrorKind::RequestBody, why)));
        let waits = self.notify(cx);
        self.upload = Upload::Failed;
        waits
    }

    /// Fails the body, since it breaks a rule or a limit. The client is told so if no response has begun.
    pub(super) fn refuse_upload(&mut self, cx: &Context<'_>, violation: Violation) -> bool {
        let kind = match violation {
            Violation::SLOW_BODY => ErrorKind::RequestBodyTimeout,
            _ => ErrorKind::RequestBody,
        };
        self.activity.body_awaited.clear();
        self.was_slow |= violation == Violation::SLOW_BODY;
        self.refusal = Some(violation);
        self.with_sender(|sender| sender.fail(Error::new(kind, violation.reason())));
        let waits = self.notify(cx);
        self.is_discarding = false;
        self.upload = Upload::Failed;
        waits
    }

    /// Looks, as the response begins, at a body that has been dropped, so that the response can tell whether the
    /// connection stays.
    pub(super) fn settle_upload(&mut self, cx: &mut Context<'_>) {
        if let Upload::Open(open) = &self.upload
            && open.sender.is_abandoned()
        {
            self.drain_upload(cx);
        }
        if let Upload::Failed = self.upload {
            self.persistent = false;
        }
    }

    /// Whether the end of the body is still to come, now that the response is over, and somebody may want it.
    pub(super) fn rest_is_awaited(&mut self) -> bool {
        let Upload::Open(open) = &self.upload else { return false };
        !open.sender.await_abandoned()
    }

    /// Throws the rest of the body away, now that nobody wants it and that the response has said that the connection stays.
    /// Ready when it is over, or when it is too long.
    pub(super) fn poll_discarded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Upload::Open(open) = &self.upload else { return Poll::Ready(()) };
        // A client that waits for `100` may send its next request instead of the body.
        if !self.persistent || open.expects_continue {
            self.drain_upload(cx);
            return Poll::Ready(());
        }
        if !std::mem::replace(&mut self.is_discarding, true) {
            self.activity.body_awaited.clear();
        }
        while !self.body.is_ended() {
            match self.body.next(&mut self.input, self.reader.rules()) {
                Ok(Piece::More(_)) => match self.poll_read(cx) {
                    Poll::Ready(Ok(read @ 1..)) if (read as u64) <= self.discardable => {
                        self.discardable -= read as u64;
                    }
                    Poll::Ready(_) => break,
                    Poll::Pending => {
                        self.activity.begin(&self.activity.body_awaited);
                        return Poll::Pending;
                    }
                },
                Ok(_) => {}
                Err(violation) => {
                    self.refusal = Some(violation);
                    break;
                }
            }
        }
        self.drained();
        Poll::Ready(())
    }

    /// Throws away what is there of the body.
    fn drain_upload(&mut self, cx: &mut Context<'_>) {
        let mut budget = MAX_DRAINED;
        while !self.body.is_ended() {
            match self.body.next(&mut self.input, self.reader.rules()) {
                Ok(Piece::More(_)) => match self.poll_read(cx) {
                    Poll::Ready(Ok(read @ 1..)) if read <= budget => budget -= read,
                    _ => break,
                },
                Ok(_) => {}
                Err(violation) => {
                    self.refusal = Some(violation);
                    break;
                }
            }
        }
        self.drained();
    }

    /// No more of the body is thrown away.
    fn drained(&mut self) {
        self.activity.body_awaited.clear();
        self.is_discarding = false;
        self.upload =
            if !self.body.is_ended() || self.refusal.is_some() { Upload::Failed } else { Upload::Done };
    }
}
