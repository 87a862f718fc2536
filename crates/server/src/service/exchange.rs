//! One request on its way through the service.
//!
//! Invariants:
//!
//! 1. The service is called once, after `poll_ready` has said that it is ready.
//! 2. An exchange always ends in a response: an error or a panic of the service becomes one.
//! 3. After a panic the service's future is dropped, so nothing that the panic left broken is polled again.

use std::{
    convert::Infallible,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use gatewright_core::{
    Body, BoxError, Error, ErrorKind, ReplyFormat, ids,
    problem::{self, Problem},
};
use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Outgoing, Track};

pin_project! {
    /// Calls the service, and answers in its place if it fails or panics.
    pub(crate) struct Exchange<S, T>
    where
        S: Service<Request<Body>>,
    {
        #[pin]
        stage: Stage<S, S::Future>,
        format: ReplyFormat,
        track: Option<T>,
    }
}

pin_project! {
    #[project = StageProjection]
    enum Stage<S, F> {
        Unready { service: S, request: Option<Request<Body>> },
        Called { #[pin] response: F },
        Answered { response: Option<Response<Bytes>> },
        Panicked,
    }
}

impl<S: Service<Request<Body>>, T> Exchange<S, T> {
    /// Gives the request to the service.
    pub(crate) fn call(service: S, request: Request<Body>, track: T) -> Self {
        let format = ReplyFormat::of_request(&request);
        Self { stage: Stage::Unready { service, request: Some(request) }, format, track: Some(track) }
    }

    /// Answers without the service.
    pub(crate) fn answer(response: Response<Bytes>, track: T) -> Self {
        let stage = Stage::Answered { response: Some(response) };
        Self { stage, format: ReplyFormat::default(), track: Some(track) }
    }
}

impl<S, B> Stage<S, S::Future>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
{
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Response<Either<B>>, S::Error>> {
        loop {
            let response = match self.as_mut().project() {
                StageProjection::Unready { service, request } => {
                    ready!(service.poll_ready(cx))?;
                    match request.take() {
                        Some(request) => service.call(request),
                        None => unreachable!("the request is taken as this stage ends"),
                    }
                }
                StageProjection::Called { response } => {
                    return response.poll(cx).map_ok(|response| response.map(Either::Service));
                }
                StageProjection::Answered { response } => {
                    let response = response.take().unwrap_or_else(|| unreachable!("{POLLED_AFTER_COMPLETION}"));
                    return Poll::Ready(Ok(response.map(Either::Own)));
                }
                StageProjection::Panicked => unreachable!("{POLLED_AFTER_COMPLETION}"),
            };
            self.set(Self::Called { response });
        }
    }
}

const POLLED_AFTER_COMPLETION: &str = "a future is not polled after it has completed";

/// A body of the service, or a body of our own.
pub(super) enum Either<B> {
    Service(B),
    Own(Bytes),
}

impl<S, B, T> Future for Exchange<S, T>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: Into<BoxError>,
    T: Track,
{
    type Output = Result<Response<Outgoing<B, T>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        // Unwind safety: after a panic the stage is replaced below, and nothing that it owned is used again.
        let polled = catch_unwind(AssertUnwindSafe(|| this.stage.as_mut().poll(cx)));
        let response = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(response))) => response,
            Ok(Poll::Ready(Err(error))) => {
                let error = Error::from_service(error);
                // The gateway's router logs the failures of its routes and never fails itself. So this error comes from a
                // service without a router, and nothing has logged it.
                match error.kind() {
                    ErrorKind::Internal if error.rejection().is_none() => {
                        tracing::error!(error = %error.chain(), "the service failed");
                    }
                    _ => tracing::debug!(error = %error.chain(), "the service failed"),
                }
                problem::from_error(&error, *this.format, Some(&ids::request_id())).map(Either::Own)
            }
            Err(panic) => {
                tracing::error!(panic = panic_text(&*panic), "the service panicked");
                this.stage.set(Stage::Panicked);
                let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR);
                super::problem(problem, *this.format, None).map(Either::Own)
            }
        };
        let Some(mut track) = this.track.take() else { unreachable!("{POLLED_AFTER_COMPLETION}") };
        let (mut head, body) = response.into_parts();
        let response = match track.respond(&mut head) {
            Some(instead) => instead.map(Either::Own),
            None => Response::from_parts(head, body),
        };
        Poll::Ready(Ok(response.map(|body| Outgoing::new(body, track))))
    }
}

/// The text of a panic.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&'static str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text")
}
