//! The memory that the exchanges of a connection use one after the other.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_core::BoxError;
use http::Response;
use http_body::{Body as _, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::service::{Application, Exchange, Outgoing};

/// Room for the service's future, then for the body of its response. The room may be large, so the connection keeps it
/// from one request to the next. A connection that has been idle for a while gives it up.
pub(super) struct ExchangeSlot<S: Application>(Option<Pin<Box<Stage<S>>>>);

/// The body of a response.
pub(super) type ResponseBody<S> = Outgoing<<S as Application>::ResponseBody, ()>;

pin_project! {
    #[project = StageProjection]
    enum Stage<S>
    where
        S: Application,
    {
        Empty,
        Serving { #[pin] exchange: Exchange<S, ()> },
        Responding { #[pin] body: Outgoing<S::ResponseBody, ()> },
    }
}

impl<S: Application> ExchangeSlot<S> {
    pub(super) fn new() -> Self {
        Self(None)
    }

    fn set(&mut self, stage: Stage<S>) {
        match &mut self.0 {
            Some(slot) => slot.set(stage),
            None => self.0 = Some(Box::pin(stage)),
        }
    }

    pub(super) fn serve(&mut self, exchange: Exchange<S, ()>) {
        self.set(Stage::Serving { exchange });
    }

    pub(super) fn respond(&mut self, body: ResponseBody<S>) {
        self.set(Stage::Responding { body });
    }

    /// Drops the exchange or the body.
    pub(super) fn clear(&mut self) {
        if let Some(slot) = &mut self.0 {
            slot.set(Stage::Empty);
        }
    }

    /// Gives up the memory.
    pub(super) fn release(&mut self) {
        self.0 = None;
    }

    pub(super) fn is_released(&self) -> bool {
        self.0.is_none()
    }

    pub(super) fn poll_service(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody<S>>, Infallible>> {
        match self.0.as_mut().map(|slot| slot.as_mut().project()) {
            Some(StageProjection::Serving { exchange }) => exchange.poll(cx),
            _ => unreachable!("there is an exchange in its turn"),
        }
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match self.0.as_mut().map(|slot| slot.as_mut().project()) {
            Some(StageProjection::Responding { body }) => body.poll_frame(cx),
            _ => Poll::Ready(None),
        }
    }

    /// Whether the body of the response is known to have ended.
    pub(super) fn is_end_stream(&self) -> bool {
        match self.0.as_deref() {
            Some(Stage::Responding { body }) => body.is_end_stream(),
            _ => true,
        }
    }
}

/// The exact size of a body, if it is known. The size of an empty body that has not ended is unknown, because trailers may
/// follow.
pub(super) fn exact_size(body: &impl http_body::Body) -> Option<u64> {
    if body.is_end_stream() {
        return Some(0);
    }
    SizeHint::exact(&body.size_hint()).filter(|size| *size > 0)
}
