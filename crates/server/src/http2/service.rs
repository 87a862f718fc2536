//! The service that hyper calls for each request of an HTTP/2 connection.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_core::{Body, BoxError, RequestRecord};
use gatewright_http1::{Rules, Violation};
use http::{Request, Response, response};
use http_body::Body as _;
use hyper::body::Incoming;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{
    body::TimedBody,
    checks,
    state::{State, Stream},
};
use crate::{
    connection::{Accepted, Shared},
    refused::RequestLine,
    service::{Exchange, Outgoing, Track, refuse},
};

/// Gives hyper's requests to the service, each with its record.
pub(super) struct Http2Service<S> {
    pub(super) service: S,
    pub(super) state: Arc<State>,
    pub(super) info: Arc<gatewright_core::ConnectionInfo>,
    pub(super) accepted: Arc<Accepted>,
    pub(super) shared: Arc<Shared>,
    pub(super) rules: Rules,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Http2Service<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Response = Response<Outgoing<B, Tracked>>;
    type Error = Infallible;
    type Future = Exchange<S, Tracked>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let (stream, slot) = self.state.begin();
        let tracked = Tracked {
            state: Arc::clone(&self.state),
            stream: Arc::clone(&stream),
            slot,
            accepted: Arc::clone(&self.accepted),
            shared: Arc::clone(&self.shared),
        };
        if let Err(violation) = self.check(&request) {
            let response = refuse(violation, None);
            let line = RequestLine::of(&request);
            self.accepted.refused(&self.shared, Some(&response), violation.reason(), Some(line));
            return Exchange::answer(response, tracked);
        }
        request.extensions_mut().insert(RequestRecord::new(Some(Arc::clone(&self.info))));
        let request = request.map(|body| {
            if body.is_end_stream() {
                Body::empty()
            } else {
                Body::new(TimedBody::new(body, Arc::clone(&self.state), stream))
            }
        });
        Exchange::call(self.service.clone(), request, tracked)
    }
}

impl<S> Http2Service<S> {
    fn check(&self, request: &Request<Incoming>) -> Result<(), Violation> {
        checks::check(request, &self.rules)?;
        match &self.accepted.host_check {
            Some(host_check) if !host_check(checks::authority(request)) => Err(Violation::MISDIRECTED),
            _ => Ok(()),
        }
    }
}

/// One request in flight.
pub(super) struct Tracked {
    state: Arc<State>,
    stream: Arc<Stream>,
    slot: usize,
    accepted: Arc<Accepted>,
    shared: Arc<Shared>,
}

impl Track for Tracked {
    fn respond(&mut self, head: &mut response::Parts) -> Option<Response<Bytes>> {
        self.stream.set_answered();
        self.state.note_response();
        if !self.stream.is_body_expired() {
            return None;
        }
        let response = refuse(Violation::SLOW_BODY, Some(&head.headers));
        self.accepted.refused(&self.shared, Some(&response), Violation::SLOW_BODY.reason(), None);
        Some(response)
    }

    fn body_wanted(&mut self) {
        self.stream.send_blocked.clear();
    }

    fn body_given(&mut self) {
        self.stream.send_blocked.set(self.state.activity().now());
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.state.end(self.slot);
    }
}

/// Runs hyper's task of each stream beside the connection's own.
#[derive(Clone)]
pub(super) struct StreamExecutor(pub(super) Arc<State>);

impl<F> hyper::rt::Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: F) {
        // hyper calls the service and then at once the executor, so that this is the stream that was just begun.
        tokio::spawn(StreamTask { task, stream: self.0.take_starting() });
    }
}

pin_project! {
    /// The task of one stream. Ending it resets the stream.
    struct StreamTask<F> {
        #[pin]
        task: F,
        stream: Option<Arc<Stream>>,
    }
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if let Some(stream) = this.stream {
            if stream.is_reset() {
                return Poll::Ready(());
            }
            stream.await_reset(cx);
        }
        this.task.poll(cx)
    }
}
