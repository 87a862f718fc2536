//! The body of a response on its way to h2.
//!
//! h2 accepts any amount of data and sends it as the client opens its windows. So the pipe gives h2 only as much as the
//! windows allow at once. Data that waits for the client waits here, where the watchdog can judge and end the stream.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{BoxError, Gather};
use h2::SendStream;
use http_body::{Body, Frame};

use super::{aborted::Aborted, streams::Stream, tracked::Tracked};
use crate::service::Outgoing;

/// The most that a stream asks for at once, so that streams share the window of the connection in turns.
const TURN: usize = 16 * 1024;
/// The bytes that a waiting stream has to send within `write_timeout`. A client that opens its windows byte by byte
/// could otherwise keep a stream for ever.
const LEAST_PROGRESS: usize = 1024;

/// The data between the body and h2.
pub(super) struct Pipe {
    send: SendStream<Bytes>,
    gather: Gather,
    chunk: Bytes,
    /// Nothing comes after the chunk.
    is_last: bool,
    /// The number of bytes that h2 got since the stream's stamp was set.
    moved: usize,
}

impl Pipe {
    pub(super) fn new(send: SendStream<Bytes>) -> Self {
        Self { send, gather: Gather::default(), chunk: Bytes::new(), is_last: false, moved: 0 }
    }

    /// Sends the body. Ready when h2 has the whole body.
    pub(super) fn poll<B>(
        &mut self,
        mut body: Pin<&mut Outgoing<B, Tracked>>,
        stream: &Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Aborted>>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>>,
    {
        loop {
            ready!(self.poll_chunk(body.track(), stream, cx))?;
            if self.is_last {
                return Poll::Ready(Ok(()));
            }
            let Poll::Ready(frame) = self.gather.poll_frame(body.as_mut(), cx) else {
                // The client has taken everything so far; the body is slow, not the client.
                self.clear_stamp(stream);
                return stream.poll_end(cx, |cx| self.send.poll_reset(cx)).map(Err);
            };
            match frame.transpose().map_err(Aborted::Body)?.map(Frame::into_data) {
                Some(Ok(chunk)) => {
                    self.is_last = self.gather.is_end_stream(&*body);
                    self.chunk = chunk;
                }
                Some(Err(frame)) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    body.track().hand_over();
                    return Poll::Ready(self.send.send_trailers(trailers).map_err(Aborted::Refused));
                }
                None => return Poll::Ready(self.give(Bytes::new(), true, body.track(), stream)),
            }
        }
    }

    /// Sends the chunk as the client makes room for it.
    fn poll_chunk(
        &mut self,
        tracked: &Tracked,
        stream: &Stream,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Aborted>> {
        while !self.chunk.is_empty() {
            self.send.reserve_capacity(self.chunk.len().min(TURN));
            let room = match self.send.capacity() {
                0 => match self.poll_capacity(cx) {
                    Poll::Ready(room) => room?,
                    Poll::Pending => {
                        tracked.begin_waiting();
                        return stream.poll_end(cx, |cx| self.send.poll_reset(cx)).map(Err);
                    }
                },
                room => room,
            };
            let part = self.chunk.split_to(room.min(self.chunk.len()));
            self.give(part, self.is_last && self.chunk.is_empty(), tracked, stream)?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_capacity(&mut self, cx: &mut Context<'_>) -> Poll<Result<usize, Aborted>> {
        loop {
            match ready!(self.send.poll_capacity(cx)) {
                Some(Ok(0)) => {}
                Some(room) => return Poll::Ready(room.map_err(Aborted::Refused)),
                None => return Poll::Ready(Err(Aborted::Gone)),
            }
        }
    }

    /// Gives data to h2, within the room of the windows.
    fn give(&mut self, part: Bytes, is_end: bool, tracked: &Tracked, stream: &Stream) -> Result<(), Aborted> {
        self.moved += part.len();
        if is_end {
            tracked.hand_over();
        } else if self.moved >= LEAST_PROGRESS {
            self.clear_stamp(stream);
        }
        self.send.send_data(part, is_end).map_err(Aborted::Refused)
    }

    fn clear_stamp(&mut self, stream: &Stream) {
        stream.unsent.clear();
        self.moved = 0;
    }
}
