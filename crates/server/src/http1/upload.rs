//! Reading the body of a request from the connection.

use std::task::{Context, Poll};

use gatewright_core::{Body, BoxError, Error, ErrorKind};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{body, connection::Connection, request};
use crate::{
    framing::{BodyLength, Head, Step, Violation},
    service::Application,
};

/// A body that is read in large pieces is read in larger ones.
const LARGEST_READ: usize = 64 * 1024;
/// So much of a body that nobody wants is thrown away to keep the connection.
const MAX_DRAINED: usize = 64 * 1024;

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The body of the request in hand, as far as the connection is concerned.
#[derive(Debug)]
pub(super) enum Upload {
    /// There is none, or all of it has been read.
    Done,
    Open(Open),
    /// Not all of it has been read, and it will not be.
    Failed,
}

#[derive(Debug)]
pub(super) struct Open {
    sender: body::Sender,
    /// Whether the client still waits for `100`.
    expects_continue: bool,
}

impl<S, T> Connection<S, T>
where
    S: Application,
    T: AsyncRead + AsyncWrite + Unpin,
{
    /// The body of the request whose head has just been read.
    pub(super) fn begin_upload(&mut self, head: &Head, cx: &Context<'_>) -> Body {
        if let BodyLength::Known(length) = head.body
            && length <= self.input.len() as u64
            && let Ok(Step::Data(length)) = self.follower.step(&self.input)
        {
            self.upload = Upload::Done;
            return Body::once(self.input.split_to(length).freeze());
        }
        let (sender, receiver) = body::channel(self.follower.data_left(), cx.waker());
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
            self.out.buffer.extend_from_slice(CONTINUE);
        }
        let mut given = false;
        // What frames the data is looked at together with them, so that the end is known as soon as it is there.
        while !(given && self.follower.at_data()) {
            match self.next_piece() {
                Ok(Piece::Data(data)) => {
                    self.with_sender(|sender| sender.push(data));
                    given = true;
                }
                Ok(Piece::Framing) => {}
                Ok(Piece::End(trailers)) => return self.end_upload(cx, |sender| sender.end(trailers)),
                Ok(Piece::More) if given => break,
                Ok(Piece::More) => match self.poll_read(cx) {
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
            if given && !self.follower.in_body() {
                return self.end_upload(cx, |sender| sender.end(None));
            }
        }
        self.notify(cx)
    }

    fn next_piece(&mut self) -> Result<Piece, Violation> {
        Ok(match self.follower.step(&self.input)? {
            Step::Data(length) => Piece::Data(self.input.split_to(length).freeze()),
            Step::Framing(length) => {
                let _ = self.input.split_to(length);
                Piece::Framing
            }
            Step::Trailers(length) => {
                let bytes = self.input.split_to(length).freeze();
                let fields = self.follower.fields();
                match fields.is_empty() {
                    true => Piece::End(None),
                    false => {
                        Piece::End(Some(request::fields(&bytes, fields).ok_or(Violation::TRAILERS_TOO_LARGE)?))
                    }
                }
            }
            Step::More | Step::Head(_) => Piece::More,
        })
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
        self.refusal = Some(violation);
        self.with_sender(|sender| sender.fail(Error::new(kind, violation.reason())));
        let waits = self.notify(cx);
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

    /// Whether the end of the body is still to come, now that the response is over. A body that has been dropped is
    /// thrown away, as far as it is there.
    pub(super) fn rest_is_awaited(&mut self, cx: &mut Context<'_>) -> bool {
        let Upload::Open(open) = &self.upload else { return false };
        if !open.sender.await_abandoned() {
            return true;
        }
        self.drain_upload(cx);
        false
    }

    /// Throws away what is there of the body.
    fn drain_upload(&mut self, cx: &mut Context<'_>) {
        let mut budget = MAX_DRAINED;
        while self.follower.in_body() {
            match self.next_piece() {
                Ok(Piece::More) => match self.poll_read(cx) {
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
        self.activity.body_awaited.clear();
        self.upload =
            if self.follower.in_body() || self.refusal.is_some() { Upload::Failed } else { Upload::Done };
    }
}

/// One step through a body.
enum Piece {
    Data(bytes::Bytes),
    Framing,
    End(Option<http::HeaderMap>),
    More,
}
