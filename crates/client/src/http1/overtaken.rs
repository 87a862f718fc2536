//! A request that its response has overtaken: a task sends the rest.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_core::{BoxError, Error, ErrorKind};
use http_body::Body;
use tokio::{
    io::WriteHalf,
    task::{JoinError, JoinHandle},
};

use super::{
    Connection,
    queue::Queue,
    upload::{Broken, Upload},
};
use crate::stream::Stream;

/// The task that sends the rest of a request. Dropped, it is stopped.
pub(super) struct Remainder<P>(Option<JoinHandle<Result<Overtaken<P>, Error>>>);

/// What became of the rest.
pub(super) enum Overtaken<P> {
    Sent(Sender<P>),
    /// The endpoint did not take it.
    Unwanted(Option<P>),
}

/// The half of a connection that sends.
pub(super) struct Sender<P> {
    stream: WriteHalf<Stream>,
    queue: Queue,
    place: Option<P>,
}

impl<P: Send + 'static> Remainder<P> {
    /// Gives the rest of a request to a task, and the half that receives back.
    pub(super) fn start<B>(
        connection: Connection<P>,
        mut upload: Upload,
        mut body: B,
    ) -> (Box<Connection<P>>, Self)
    where
        B: Body<Data = Bytes> + Unpin + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (receiving, mut sender) = Sender::split(connection);
        let task = tokio::spawn(async move {
            let Sender { stream, queue, .. } = &mut sender;
            match std::future::poll_fn(|cx| upload.poll(cx, &mut body, queue, stream)).await {
                Ok(()) => Ok(Overtaken::Sent(sender)),
                Err(Broken::Write(_)) => Ok(Overtaken::Unwanted(sender.place)),
                Err(Broken::Body(error)) => Err(error),
            }
        });
        (receiving, Self(Some(task)))
    }
}

impl<P> Remainder<P> {
    /// Lets the task go on by itself.
    pub(super) fn detach(mut self) {
        self.0 = None;
    }
}

impl<P> Future for Remainder<P> {
    type Output = Result<Overtaken<P>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.0 else { return Poll::Pending };
        let failed = |error: JoinError| Err(Error::new(ErrorKind::Internal, error));
        Pin::new(task).poll(cx).map(|outcome| outcome.unwrap_or_else(failed))
    }
}

impl<P> Drop for Remainder<P> {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl<P> Sender<P> {
    fn split(mut connection: Connection<P>) -> (Box<Connection<P>>, Self) {
        let (place, queue) = (connection.place.take(), std::mem::take(&mut connection.queue));
        let mut halves = None;
        let connection = connection.with_stream(|stream| {
            let (receiving, sending) = tokio::io::split(stream);
            halves = Some(sending);
            Stream::Receiving(receiving)
        });
        match halves {
            Some(stream) => (connection, Self { stream, queue, place }),
            None => unreachable!("the stream was split above"),
        }
    }

    /// Makes the connection whole again.
    pub(super) fn rejoin(self, mut connection: Connection<P>) -> Box<Connection<P>> {
        connection.queue = self.queue;
        connection.place = self.place;
        connection.with_stream(|stream| match stream {
            Stream::Receiving(receiving) => receiving.unsplit(self.stream),
            whole => whole,
        })
    }
}
