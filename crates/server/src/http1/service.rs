//! The service that hyper calls for each request of an HTTP/1 connection.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use gatewright_core::{Body, BoxError, ConnectionInfo, RequestRecord, problem::Problem};
use http::{HeaderValue, Request, Response, StatusCode, Version, header, response};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use tower_service::Service;

use super::state::{Negotiation, State};
use crate::{
    connection::{Accepted, Shared},
    drain::Phase,
    framing::Violation,
    refused::RequestLine,
    service::{Exchange, Outgoing, Track, problem, refuse},
};

/// Gives hyper's requests to the service, each with its record.
pub(super) struct Http1Service<S> {
    pub(super) service: S,
    pub(super) state: Arc<State>,
    pub(super) info: Arc<ConnectionInfo>,
    pub(super) accepted: Arc<Accepted>,
    pub(super) shared: Arc<Shared>,
}

impl<S, B> hyper::service::Service<Request<Incoming>> for Http1Service<S>
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
        let state = Arc::clone(&self.state);
        let number = state.begin_request();
        state.interims.set_understood(request.version() == Version::HTTP_11);
        let upgrade = self.negotiate(&mut request);
        let (accepted, shared) = (Arc::clone(&self.accepted), Arc::clone(&self.shared));
        let tracked = Tracked { state, accepted, shared, number, upgrade };
        if let Some(host_check) = &self.accepted.host_check
            && !host_check(authority(&request))
        {
            let response = refuse(Violation::MISDIRECTED, None);
            let line = RequestLine::of(&request);
            self.accepted.refused(&self.shared, Some(&response), Violation::MISDIRECTED.reason(), Some(line));
            return Exchange::answer(response, tracked);
        }
        request.extensions_mut().insert(RequestRecord::new(Some(Arc::clone(&self.info))));
        Exchange::call(self.service.clone(), request.map(Body::new), tracked)
    }
}

impl<S> Http1Service<S> {
    /// Leaves `Upgrade` in the request only when it is a WebSocket's, and may be granted.
    fn negotiate(&self, request: &mut Request<Incoming>) -> Option<bool> {
        // hyper marks each HTTP/1.1 request that holds the field; in HTTP/1.0 it means nothing.
        if request.extensions().get::<OnUpgrade>().is_none() && request.version() != Version::HTTP_10 {
            return None;
        }
        let value = request.headers().get(header::UPGRADE)?;
        let websocket = value.as_bytes().eq_ignore_ascii_case(b"websocket");
        if websocket && self.state.upgrade() == Negotiation::WebSocket {
            return Some(true);
        }
        request.extensions_mut().remove::<OnUpgrade>();
        request.headers_mut().remove(header::UPGRADE);
        request.headers_mut().remove("http2-settings");
        Some(false)
    }
}

/// The authority that framing has checked: that of the target, which equals `Host`, or `Host` itself.
fn authority<B>(request: &Request<B>) -> &[u8] {
    request.headers().get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default()
}

/// One request in flight.
pub(super) struct Tracked {
    state: Arc<State>,
    accepted: Arc<Accepted>,
    shared: Arc<Shared>,
    number: u64,
    /// Whether the request asks for an upgrade, and whether it may be granted.
    upgrade: Option<bool>,
}

impl Track for Tracked {
    fn respond(&mut self, head: &mut response::Parts) -> Option<Response<Bytes>> {
        self.state.begin_response(self.number);
        let granted = head.status == StatusCode::SWITCHING_PROTOCOLS;
        if self.upgrade.is_some() {
            self.state.settle_upgrade(granted && self.upgrade == Some(true));
        }
        let instead = match self.state.refusal() {
            Some(refusal) if refusal.in_body => {
                let response = refuse(refusal.violation, Some(&head.headers));
                if self.state.report() {
                    self.accepted.refused(&self.shared, Some(&response), refusal.violation.reason(), None);
                }
                Some(response)
            }
            _ if granted && self.upgrade != Some(true) => {
                tracing::warn!("the service answered 101 to a request that asked for no upgrade");
                Some(problem(Problem::new(StatusCode::BAD_GATEWAY), Some(&head.headers)))
            }
            _ => None,
        };
        let close = HeaderValue::from_static("close");
        match instead {
            Some(mut response) => {
                response.headers_mut().insert(header::CONNECTION, close);
                Some(response)
            }
            None => {
                if !granted && self.shared.connections.phase() != Phase::Serving {
                    head.headers.insert(header::CONNECTION, close);
                }
                None
            }
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.state.end_request();
    }
}
