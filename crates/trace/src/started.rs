//! A request whose response has begun, as observers see it.

use std::{
    borrow::Cow,
    net::IpAddr,
    time::{Duration, Instant},
};

use gatewright_core::{ConnectionInfo, Label, Principal, Rejection, SpanContext, Summary};
use http::{HeaderValue, Method, Response, StatusCode, header::CONTENT_TYPE};

use crate::account::Account;

/// A request whose response's head is on its way to the client, for an [`Observer`](crate::Observer).
pub struct StartedResponse<'a> {
    pub(crate) account: &'a Account,
    pub(crate) known: &'a Summary,
    pub(crate) status: StatusCode,
}

/// Why an exchange is expected to last: what it lasts says nothing about how fast the service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StreamKind {
    /// The connection left HTTP (a WebSocket, RFC 9110, section 7.8), or became a tunnel (`CONNECT`). The request ends with it.
    Upgraded,
    /// The response is an event stream (`text/event-stream`, HTML Living Standard, section 9.2).
    EventStream,
}

impl StreamKind {
    /// The kind of what begins with this response, when it is a stream. Whether a gRPC call is one stands in its
    /// definition and not in its head, so gRPC calls are none.
    pub(crate) fn of<B>(method: &Method, response: &Response<B>) -> Option<Self> {
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS || (*method == Method::CONNECT && status.is_success()) {
            return Some(Self::Upgraded);
        }
        let content_type = response.headers().get(CONTENT_TYPE)?.as_bytes();
        let essence = content_type.split(|byte| *byte == b';').next()?.trim_ascii();
        essence.eq_ignore_ascii_case(b"text/event-stream").then_some(Self::EventStream)
    }

    /// A short stable word for labels and logs: `upgraded`, `event_stream`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upgraded => "upgraded",
            Self::EventStream => "event_stream",
        }
    }
}

impl<'a> StartedResponse<'a> {
    /// When the request began.
    pub fn started(&self) -> Instant {
        self.account.record.started()
    }

    /// From the beginning of the request until now. It asks the clock.
    pub fn elapsed(&self) -> Duration {
        self.started().elapsed()
    }

    /// The status of the response.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What kind of stream begins, when it is one.
    pub fn stream(&self) -> Option<StreamKind> {
        self.account.stream()
    }

    /// The method, as the client wrote it.
    pub fn method(&self) -> &'a Method {
        &self.account.method
    }

    /// The path, as the client wrote it.
    pub fn path(&self) -> &'a str {
        self.account.uri.path()
    }

    /// The query, as the client wrote it. Queries may hold secrets.
    pub fn query(&self) -> Option<&'a str> {
        self.account.uri.query()
    }

    /// The host that the client asked for, without user information.
    pub fn host(&self) -> Option<Cow<'a, str>> {
        self.account.host()
    }

    /// The value of `x-request-id`.
    pub fn request_id(&self) -> Option<&'a HeaderValue> {
        self.known.request_id.as_ref()
    }

    /// The gateway's span in the trace of the request.
    pub fn span(&self) -> Option<SpanContext> {
        self.known.span
    }

    /// The client's address, after trusted hops.
    pub fn client(&self) -> Option<IpAddr> {
        let peer = || Some(self.connection()?.peer().ip());
        self.known.client.map(|client| client.address()).or_else(peer)
    }

    /// The connection on which the request came.
    pub fn connection(&self) -> Option<&'a ConnectionInfo> {
        self.account.record.connection().map(|connection| &**connection)
    }

    /// The route that took the request.
    pub fn route(&self) -> Option<&'a Label> {
        self.known.route.as_ref()
    }

    /// The upstream that the request went to.
    pub fn upstream(&self) -> Option<&'a Label> {
        self.known.upstream.as_ref()
    }

    /// The endpoint of that upstream.
    pub fn endpoint(&self) -> Option<&'a Label> {
        self.known.endpoint.as_ref()
    }

    /// From the choice of the endpoint to the upstream's response head, over all attempts.
    pub fn upstream_time(&self) -> Option<Duration> {
        self.known.upstream_time
    }

    /// The bytes of the request's body that have been read so far.
    pub fn bytes_in(&self) -> u64 {
        self.account.record.bytes_in()
    }

    /// Who called.
    pub fn principal(&self) -> Option<&'a Principal> {
        self.known.principal.as_ref()
    }

    /// The refusal, when a policy refused the request.
    pub fn rejection(&self) -> Option<&'a Rejection> {
        self.known.rejection.as_ref()
    }
}

impl std::fmt::Debug for StartedResponse<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StartedResponse").field("status", &self.status).finish_non_exhaustive()
    }
}
