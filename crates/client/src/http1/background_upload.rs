//! A request whose response came before all of it had left: a task sends the rest.
//!
//! 1. The task holds the sending half of the connection and its permit. The response's body holds the receiving half.
//! 2. The task ends when the rest has been sent, when the endpoint takes no more, when the body fails, or when the
//!    response is dropped before its end.
//! 3. An endpoint may take nothing and send nothing for the stall timeout. Then the rest is given up, and the connection
//!    with it. Once the response is whole, the endpoint has [`AFTER_RESPONSE`] at most, since a client that sends all before
//!    it reads waits as long.
//! 4. The wait for a body that gives nothing is bounded by the body's own limits.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::{BoxError, Error, ErrorKind};
use gatewright_http1::WriteBuffer;
use http_body::Body;
use tokio::{
    io::WriteHalf,
    sync::Notify,
    task::{JoinError, JoinHandle},
    time::Instant,
};

use super::{
    Connection,
    upload::{Upload, UploadError},
};
use crate::{AFTER_RESPONSE, stream::Stream};

/// The task that sends the rest of a request. Dropped, it is stopped.
pub(super) struct BackgroundUpload<P> {
    task: Option<JoinHandle<Result<UploadOutcome<P>, Error>>>,
    response: Arc<ResponseProgress>,
}

/// What the task learns of the response.
#[derive(Default)]
struct ResponseProgress {
    /// Something was received since the task last looked.
    received: AtomicBool,
    /// The response is whole.
    ended: Notify,
}

/// What became of the rest of the request.
pub(super) enum UploadOutcome<P> {
    Sent(Sender<P>),
    /// The endpoint did not take it.
    Unwanted(Option<P>),
}

/// The half of a connection that sends.
pub(super) struct Sender<P> {
    stream: WriteHalf<Stream>,
    out: WriteBuffer,
    permit: Option<P>,
}

impl<P: Send + 'static> BackgroundUpload<P> {
    /// Gives the rest of a request to a task. Returns the half of the connection that receives.
    pub(super) fn start<B>(
        connection: Connection<P>,
        upload: Upload,
        body: B,
        stall_timeout: Duration,
    ) -> (Box<Connection<P>>, Self)
    where
        B: Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (receiving, sender) = Sender::split(connection);
        let response = Arc::new(ResponseProgress::default());
        let task = tokio::spawn(send_rest(sender, upload, body, stall_timeout, Arc::clone(&response)));
        (receiving, Self { task: Some(task), response })
    }
}

async fn send_rest<B, P>(
    mut sender: Sender<P>,
    mut upload: Upload,
    mut body: B,
    mut stall_timeout: Duration,
    response: Arc<ResponseProgress>,
) -> Result<UploadOutcome<P>, Error>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    let mut stalled = pin!(tokio::time::sleep(stall_timeout));
    let mut ended = pin!(response.ended.notified());
    let (mut waiting, mut is_whole) = (false, false);
    let sent = poll_fn(|cx| {
        let Sender { stream, out, .. } = &mut sender;
        if let Poll::Ready(sent) = upload.poll(cx, &mut body, out, stream) {
            return Poll::Ready(Some(sent));
        }
        let moved = out.take_moved();
        if !is_whole && ended.as_mut().poll(cx).is_ready() {
            is_whole = true;
            waiting = false;
            stall_timeout = stall_timeout.min(AFTER_RESPONSE);
        }
        if !upload.is_held_up() {
            waiting = false;
            return Poll::Pending;
        }
        if moved || !waiting {
            waiting = true;
            response.received.store(false, Ordering::Relaxed);
            stalled.as_mut().reset(Instant::now() + stall_timeout);
        }
        while stalled.as_mut().poll(cx).is_ready() {
            if !response.received.swap(false, Ordering::Relaxed) {
                return Poll::Ready(None);
            }
            stalled.as_mut().reset(Instant::now() + stall_timeout);
        }
        Poll::Pending
    })
    .await;
    match sent {
        Some(Ok(())) => Ok(UploadOutcome::Sent(sender)),
        Some(Err(UploadError::Write(_))) | None => Ok(UploadOutcome::Unwanted(sender.permit)),
        Some(Err(UploadError::Body(error))) => Err(error),
    }
}

impl<P> BackgroundUpload<P> {
    /// Lets the task go on by itself, because the response is whole.
    pub(super) fn detach(mut self) {
        self.task = None;
        self.response.ended.notify_one();
    }

    /// Notes that something was received.
    pub(super) fn note_received(&self) {
        self.response.received.store(true, Ordering::Relaxed);
    }
}

impl<P> Future for BackgroundUpload<P> {
    type Output = Result<UploadOutcome<P>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.task else { return Poll::Pending };
        let failed = |error: JoinError| Err(Error::new(ErrorKind::Internal, error));
        Pin::new(task).poll(cx).map(|outcome| outcome.unwrap_or_else(failed))
    }
}

impl<P> Drop for BackgroundUpload<P> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl<P> Sender<P> {
    fn split(mut connection: Connection<P>) -> (Box<Connection<P>>, Self) {
        let (permit, out) = (connection.permit.take(), std::mem::take(&mut connection.out));
        let mut halves = None;
        let connection = connection.with_stream(|stream| {
            let (receiving, sending) = tokio::io::split(stream);
            halves = Some(sending);
            Stream::Receiving(receiving)
        });
        match halves {
            Some(stream) => (connection, Self { stream, out, permit }),
            None => unreachable!("the stream was split above"),
        }
    }

    /// Makes the connection whole again.
    pub(super) fn rejoin(self, mut connection: Connection<P>) -> Box<Connection<P>> {
        connection.out = self.out;
        connection.permit = self.permit;
        connection.with_stream(|stream| match stream {
            Stream::Receiving(receiving) => receiving.unsplit(self.stream),
            whole => whole,
        })
    }
}
