//! A stream that nobody waits for any longer.
//!
//! Its reset leaves at once when the connection's budget of resets allows it. Otherwise the stream is held for a while. A
//! short response comes to its end in this time and needs no reset. A longer response is not read further, so that the
//! stream's window stops the endpoint.

use std::{pin::Pin, task::Poll};

use http_body::Body;
use hyper::body::Incoming;
use tokio::{runtime::Handle, time::Instant};

use super::{
    response_future::ResponseFuture,
    streams::{Reset, StreamPermit},
    upload::UploadHandle,
};

/// How many bytes are read of a response that nobody waits for.
const READ: usize = 64 << 10;

/// A cancelled stream. Dropped, it is reset unless it has ended.
pub(super) struct CancelledStream<B: Send + 'static> {
    stage: Stage<B>,
    upload: Option<UploadHandle<B>>,
}

enum Stage<B: Send + 'static> {
    Unanswered(ResponseFuture<B>),
    Answered(Incoming),
}

impl<B: Send + 'static> CancelledStream<B> {
    pub(super) fn unanswered(sent: ResponseFuture<B>, upload: Option<UploadHandle<B>>) -> Self {
        Self { stage: Stage::Unanswered(sent), upload }
    }

    pub(super) fn answered(body: Incoming, upload: Option<UploadHandle<B>>) -> Self {
        Self { stage: Stage::Answered(body), upload }
    }

    /// Resets the stream, now or when its turn has come.
    pub(super) fn release(self, mut permit: StreamPermit<B>) {
        match permit.give_up() {
            Reset::Now => {}
            Reset::At(turn) => self.hold(permit, turn),
        }
    }

    /// Lets a stream end by itself that lacks only its formal end.
    pub(super) fn let_end(self, mut permit: StreamPermit<B>) {
        let turn = permit.await_end();
        self.hold(permit, turn);
    }

    fn hold(mut self, permit: StreamPermit<B>, turn: Instant) {
        let Ok(runtime) = Handle::try_current() else { return };
        if let Some(upload) = &self.upload {
            upload.stop();
        }
        runtime.spawn(async move {
            if tokio::time::timeout_at(turn, self.ended()).await.is_ok() {
                permit.note_ended();
            }
            // The reset goes before the slot is free.
            drop(self);
            drop(permit);
        });
    }

    /// Waits for the stream's end.
    async fn ended(&mut self) {
        if let Stage::Unanswered(sent) = &mut self.stage {
            match sent.await {
                Ok(response) => self.stage = Stage::Answered(response.into_body()),
                Err(_) => return,
            }
        }
        let Stage::Answered(body) = &mut self.stage else { return };
        let mut left = READ;
        while !body.is_end_stream() {
            match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
                Some(Ok(frame)) => left = left.saturating_sub(frame.data_ref().map_or(0, bytes::Bytes::len)),
                Some(Err(_)) | None => return,
            }
            if left == 0 {
                std::future::poll_fn::<(), _>(|_| Poll::Pending).await;
            }
        }
    }
}
