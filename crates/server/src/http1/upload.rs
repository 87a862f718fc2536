//! Reading the body of a request from the connection.
//!
//! Invariants:
//!
//! 1. `upload` goes from `Open` to `Done` or to `Failed`, and leaves these two only when the next request begins.
//! 2. `Done` means that the end of the body has been parsed: the first byte of `input` belongs to the next request.
//! 3. `Failed` means that the end of the body will not be parsed. The connection then ends after this response.
//! 4. The sender holds at most one frame of data, and gets a frame only when the service has asked for one.
//! 5. `100 Continue` is written at most once, when the service asks for the body, no byte of the body has arrived, and
//!    the response has not begun.
//! 6. `body_awaited` is set only while the connection waits for bytes of the body from the client, or for the service to
//!    take or drop the body after the response. It is cleared when bytes arrive and when the body ends.
//! 7. In order to throw a body away, the connection reads at most `MAX_DRAINED` bytes before the response, and at most
//!    `discardable` bytes after it.

use std::task::{Context, Poll};

use gatewright_core::{Body, BoxError, Error, ErrorKind};
use gatewright_http1::{BodyLength, BodyReader, Piece, RequestHead, Violation};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    body,
    connection::{Connection, Open, Upload},
};
use crate::service::Application;

/// The size of a read doubles while reads fill the buffer, up to this size.
const LARGEST_READ: usize = 64 * 1024;
/// The part of an unwanted body that is thrown away before the response in order to keep the connection.
const MAX_DRAINED: usize = 64 * 1024;

/// An empty chunked body.
const NO_CHUNKS: &[u8] = b"0\r\n\r\n";

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl<S, T> Connection<S, T>
where
    S: Application,
    T: AsyncRead + AsyncWrite + Unpin,
{
    /// Makes the body of the request whose head has just been read.
    pub(super) fn begin_upload(&mut self, head: &RequestHead, cx: &Context<'_>) -> Body {
        self.body = BodyReader::new(head.body);
        // A body that has arrived with its head needs no channel.
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

    /// Reads the frame that the service wants. True if the connection's own task waits for the frame.
    pub(super) fn poll_upload(&mut self, cx: &mut Context<'_>) -> bool {
        let Upload::Open(open) = &mut self.upload else { return false };
        if !open.sender.is_wanted() {
            return false;
        }
        if std::mem::take(&mut open.expects_continue) && self.input.is_empty() && !self.is_responding() {
            self.out.put(CONTINUE);
        }
        let mut given = false;
        // The end is parsed together with the last data, so that the service learns of it with that frame.
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
                        // The read filled the buffer, so the socket probably holds more.
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

    /// Fails a body that breaks a rule or a limit. The client gets a refusal if no response has begun.
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

    /// Drains a body that the service has dropped, as the response begins: the head of the response says whether the
    /// connection stays open.
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

    /// Whether the service may still want the rest of the body after the response.
    pub(super) fn rest_is_awaited(&mut self) -> bool {
        let Upload::Open(open) = &self.upload else { return false };
        !open.sender.await_abandoned()
    }

    /// Throws the rest of an unwanted body away after a response that keeps the connection open. Ready when the body has
    /// ended, or is too long.
    pub(super) fn poll_discarded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Upload::Open(open) = &self.upload else { return Poll::Ready(()) };
        // A client that waits for `100 Continue` may send its next request instead of the body.
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

    /// Throws away the part of the body that has arrived.
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

    /// Settles the state of the upload after bytes were thrown away.
    fn drained(&mut self) {
        self.activity.body_awaited.clear();
        self.is_discarding = false;
        self.upload =
            if !self.body.is_ended() || self.refusal.is_some() { Upload::Failed } else { Upload::Done };
    }
}
