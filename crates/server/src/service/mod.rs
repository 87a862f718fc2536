//! The call of the service for one request, in both protocols. Errors and panics become responses, and the connection
//! learns when the response begins and ends.

mod exchange;
mod outgoing;

use bytes::Bytes;
use gatewright_core::{
    Body, BoxError, ReplyFormat, ids,
    problem::{Problem, REQUEST_ID},
};
use gatewright_http1::Refusal;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header, response};

use tower_service::Service;

pub(crate) use exchange::Exchange;
pub(crate) use outgoing::Outgoing;

/// The bounds of the service that [`Server::serve`](crate::Server::serve) takes, under one name.
pub(crate) trait Application:
    Service<Request<Body>, Response = Response<Self::ResponseBody>, Error: Into<BoxError>, Future: Send>
    + Clone
    + Send
    + 'static
{
    type ResponseBody: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static;
}

impl<S, B> Application for S
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type ResponseBody = B;
}

/// The state that a connection keeps for one request. It is dropped when the response is over.
pub(crate) trait Track: Send + 'static {
    /// Sees the head of the response, and may give another response in its place.
    fn respond(&mut self, head: &mut response::Parts) -> Option<Response<Bytes>>;
}

/// HTTP/1 sees each response in its own task and needs no such state.
impl Track for () {
    fn respond(&mut self, _: &mut response::Parts) -> Option<Response<Bytes>> {
        None
    }
}

/// The response to a refused request. It has the request id of the response that it replaces, or else a new one.
pub(crate) fn refuse(
    refusal: &Refusal,
    format: ReplyFormat,
    instead_of: Option<&HeaderMap>,
) -> Response<Bytes> {
    let status = StatusCode::from_u16(refusal.violation().status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = problem(Problem::new(status).detail(&refusal.detail()), format, instead_of);
    if status == StatusCode::METHOD_NOT_ALLOWED {
        // RFC 9110, section 15.5.6 demands the field. The server does not know the methods of the routes.
        let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

pub(crate) fn problem(
    problem: Problem<'_>,
    format: ReplyFormat,
    instead_of: Option<&HeaderMap>,
) -> Response<Bytes> {
    let known = instead_of.and_then(|headers| headers.get(REQUEST_ID).cloned());
    problem.into_response(format, Some(&known.unwrap_or_else(ids::request_id)))
}
