//! Taking a request to the service, with its record.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_core::{Body, ReplyFormat, RequestRecord};
use gatewright_http1::{Refusal, Rules, Violation};
use h2::{RecvStream, server::SendResponse};
use http::{Method, Request, Response, response};

use super::{body::TimedBody, checks, response::Responding, state::State, streams::Stream};
use crate::{
    connection::{Accepted, Shared},
    refused::RequestLine,
    service::{Application, Exchange, Track, refuse},
};

/// Gives the requests of one connection to the service, each in a task of its own.
pub(super) struct Requests<S> {
    pub(super) service: S,
    pub(super) state: Arc<State>,
    pub(super) info: Arc<gatewright_core::ConnectionInfo>,
    pub(super) accepted: Arc<Accepted>,
    pub(super) shared: Arc<Shared>,
    pub(super) rules: Rules,
}

impl<S: Application> Requests<S> {
    pub(super) fn begin(&self, mut request: Request<RecvStream>, reply: SendResponse<Bytes>) {
        let has_body = !request.body().is_end_stream();
        let stream = self.state.begin(reply.stream_id().as_u32(), has_body);
        let is_head = request.method() == Method::HEAD;
        let format = ReplyFormat::of_request(&request);
        let tracked = Tracked {
            state: Arc::clone(&self.state),
            stream: Arc::clone(&stream),
            format,
            accepted: Arc::clone(&self.accepted),
            shared: Arc::clone(&self.shared),
        };
        let length = checks::body_length(&request);
        let verdict = self.check(&mut request);
        if verdict.is_ok() {
            request.extensions_mut().insert(RequestRecord::new(Some(Arc::clone(&self.info))));
        }
        let timed = |body| {
            let (state, stream) = (Arc::clone(&self.state), Arc::clone(&stream));
            TimedBody::new(body, length, self.rules, state, stream, Arc::clone(&self.shared))
        };
        let first = match verdict {
            Ok(()) if has_body => {
                let is_likely_empty = length == Some(0) || has_no_body(request.method());
                let request = request.map(timed);
                First::Body(Opening { service: self.service.clone(), request, tracked, is_likely_empty })
            }
            Ok(()) => {
                let request = request.map(|_| Body::empty());
                First::Call(Exchange::call(self.service.clone(), request, tracked))
            }
            Err(refusal) => {
                let response = refuse(&refusal, format, None);
                let request = request.map(|body| if has_body { Body::new(timed(body)) } else { Body::empty() });
                let (reason, line) = (refusal.violation().reason(), RequestLine::of(&request));
                self.accepted.refused(&self.shared, Some(&response), reason, Some(line));
                First::Call(Exchange::answer(response, tracked))
            }
        };
        tokio::spawn(Responding::new(first, reply, stream, is_head));
    }

    fn check(&self, request: &mut Request<RecvStream>) -> Result<(), Refusal> {
        let dropped = checks::check(request, &self.rules)?;
        if let Some(first) = dropped.first {
            self.shared.connections.count_dropped_fields(dropped.count, first.as_str().as_bytes());
        }
        match &self.accepted.host_check {
            Some(host_check) if !host_check(checks::authority(request)) => Err(Violation::MISDIRECTED.into()),
            _ => Ok(()),
        }
    }
}

/// Whether a body has no meaning in requests of this method (RFC 9110, sections 9.3.1 to 9.3.8).
fn has_no_body(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::DELETE | Method::OPTIONS | Method::TRACE)
}

/// What a stream begins with.
pub(super) enum First<S: Application> {
    /// The service, or an answer of our own.
    Call(Exchange<S, Tracked>),
    /// A look at the body, which some clients end with an empty frame after the head.
    Body(Opening<S>),
}

/// A request on whose body one look is taken before the service has it, so that an empty one is known as such.
pub(super) struct Opening<S> {
    service: S,
    request: Request<TimedBody>,
    tracked: Tracked,
    /// Whether the look is worth a short wait.
    pub(super) is_likely_empty: bool,
}

impl<S: Application> Opening<S> {
    pub(super) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.request.body_mut().poll_first(cx)
    }

    pub(super) fn call(self) -> Exchange<S, Tracked> {
        Exchange::call(self.service, self.request.map(TimedBody::into_service), self.tracked)
    }
}

/// One request in flight, until its response is over.
pub(super) struct Tracked {
    state: Arc<State>,
    stream: Arc<Stream>,
    format: ReplyFormat,
    accepted: Arc<Accepted>,
    shared: Arc<Shared>,
}

impl Tracked {
    /// The response waits for its client from now on, unless it does already.
    pub(super) fn begin_waiting(&self) {
        self.state.activity().begin(&self.stream.unsent);
    }

    /// h2 is about to be given the end of the response.
    pub(super) fn hand_over(&self) {
        self.stream.unsent.set(self.state.activity().now());
        self.state.ended(self.state.streams.hand_over(self.stream.id()));
    }
}

impl Track for Tracked {
    fn respond(&mut self, head: &mut response::Parts) -> Option<Response<Bytes>> {
        self.stream.set_answered();
        self.state.note_response();
        let fault = self.stream.body_fault()?;
        let response = refuse(&fault.into(), self.format, Some(&head.headers));
        self.accepted.refused(&self.shared, Some(&response), fault.reason(), None);
        Some(response)
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.state.ended(self.state.streams.task_ended(self.stream.id()));
    }
}
