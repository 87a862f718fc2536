//! From a received request to the task that answers it.

use std::sync::Arc;

use bytes::Bytes;
use gatewright_core::{Body, ReplyFormat, RequestRecord};
use gatewright_http1::{Refusal, Rules, Violation};
use h2::{RecvStream, server::SendResponse};
use http::{Method, Request};

use super::{
    body::TimedBody,
    checks,
    response::Responding,
    start::{Opening, Start},
    state::State,
    tracked::Tracked,
};
use crate::{
    connection::{Accepted, Shared},
    refused::RequestLine,
    service::{Application, Exchange, refuse},
};

/// Starts a task for each request of one connection.
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
            self.shared.connections.count_http2_request();
            request.extensions_mut().insert(RequestRecord::new(Some(Arc::clone(&self.info))));
        }
        let timed = |body| {
            let (state, stream) = (Arc::clone(&self.state), Arc::clone(&stream));
            TimedBody::new(body, length, self.rules, state, stream, Arc::clone(&self.shared))
        };
        let start = match verdict {
            Ok(()) if has_body => {
                let is_likely_empty = length == Some(0) || has_no_body(request.method());
                let request = request.map(timed);
                Start::Body(Opening { service: self.service.clone(), request, tracked, is_likely_empty })
            }
            Ok(()) => {
                let request = request.map(|_| Body::empty());
                Start::Call(Exchange::call(self.service.clone(), request, tracked))
            }
            Err(refusal) => {
                let response = refuse(&refusal, format, None);
                let request = request.map(|body| if has_body { Body::new(timed(body)) } else { Body::empty() });
                let (reason, line) = (refusal.violation().reason(), RequestLine::of(&request));
                self.accepted.refused(&self.shared, Some(&response), reason, Some(line));
                Start::Call(Exchange::answer(response, tracked))
            }
        };
        tokio::spawn(Responding::new(start, reply, stream, is_head));
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
