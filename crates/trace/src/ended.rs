//! A request that has ended, as observers see it.

use std::{
    borrow::Cow,
    net::IpAddr,
    time::{Duration, Instant},
};

use gatewright_core::{
    ConnectionInfo, ErrorKind, Label, LayerState, PolicyDecision, Principal, Rejection, RequestRecord,
    SpanContext, Summary,
};
use http::{HeaderValue, Method, StatusCode};

use crate::{StreamKind, account::Account};

/// A request that has ended, for an [`Observer`](crate::Observer).
pub struct EndedRequest<'a> {
    pub(crate) account: &'a Account,
    pub(crate) known: &'a Summary,
    pub(crate) layers: &'a LayerState,
    pub(crate) duration: Duration,
    pub(crate) ending: Ending,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The response was sent to its end, as far as the stack can tell.
    Complete,
    /// The stack failed, before or after the head of the response.
    Failed(ErrorKind),
    /// The client went away first.
    ClientGone,
    /// The server cut the connection, at the end of its time to drain.
    ServerCut,
}

/// nginx's status for a client that left before a response began; no client ever sees it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Who stood in the way of a request, and why.
#[derive(Clone, Copy)]
pub(crate) struct Obstacle<'a> {
    pub(crate) by: &'a str,
    pub(crate) reason: &'a str,
}

const CLIENT_GONE: Obstacle<'static> = Obstacle { by: "client", reason: "gone" };

/// The time that the server had to drain was over.
const SERVER_CUT: Obstacle<'static> = Obstacle { by: "server", reason: "cut" };

impl<'a> EndedRequest<'a> {
    /// When the request began.
    pub fn started(&self) -> Instant {
        self.account.record.started()
    }

    /// From the beginning of the request to the end of the response's body.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// How it ended.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// The status of the response; `None` when no response began.
    pub fn status(&self) -> Option<StatusCode> {
        self.account.status()
    }

    /// The status for logs and metrics: that of the response, or else 499 for a client that went away before one began (as in
    /// nginx) and 503 for a connection that the server cut.
    pub fn logged_status(&self) -> Option<u16> {
        let status = self.status().map(|status| status.as_u16());
        match self.ending {
            Ending::Complete | Ending::Failed(_) => status,
            Ending::ClientGone => status.or(Some(CLIENT_CLOSED_REQUEST)),
            Ending::ServerCut => status.or(Some(StatusCode::SERVICE_UNAVAILABLE.as_u16())),
        }
    }

    /// What kind of stream it was, when it was one: such a request lasts as long as its parties want.
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

    /// From the beginning of the request to the first choice of an endpoint: the time that the gateway itself took.
    pub fn upstream_after(&self) -> Option<Duration> {
        self.known.upstream_after
    }

    /// From the choice of the endpoint to the upstream's response head, over all attempts.
    pub fn upstream_time(&self) -> Option<Duration> {
        self.known.upstream_time
    }

    /// The bytes of the request's body that were read.
    pub fn bytes_in(&self) -> u64 {
        self.account.record.bytes_in()
    }

    /// The bytes of the response's body that were handed to the server.
    pub fn bytes_out(&self) -> u64 {
        self.account.bytes_out()
    }

    /// Who called.
    pub fn principal(&self) -> Option<&'a Principal> {
        self.known.principal.as_ref()
    }

    /// The refusal, when a policy refused the request.
    pub fn rejection(&self) -> Option<&'a Rejection> {
        self.known.rejection.as_ref()
    }

    /// The refusal that a policy on trial (a dry run) would have made. The request went on.
    pub fn would_reject(&self) -> Option<&'a Rejection> {
        self.known.would_reject.as_ref()
    }

    /// The failure, when the request could not be carried out.
    pub fn error(&self) -> Option<ErrorKind> {
        match self.ending {
            Ending::Failed(kind) => self.known.error.or(Some(kind)),
            _ => self.known.error,
        }
    }

    /// The decisions of the policies, outermost first; empty unless an observer
    /// [watches them](crate::Observer::watches_decisions), or those that were [waited for](crate::Observer::watches_waits).
    pub fn decisions(&self) -> &'a [PolicyDecision] {
        self.layers.decisions()
    }

    /// The legs of a composed request, each with a record of its own.
    pub fn legs(&self) -> &'a [(Label, RequestRecord)] {
        self.layers.legs()
    }

    /// Who stood in the way of the request, and why: `rate-limit:over_limit` of a refusal, `error:connect` of a failure,
    /// `client:gone`, `server:cut`.
    pub(crate) fn obstacle(&self) -> Option<Obstacle<'a>> {
        if self.ending == Ending::ServerCut {
            return Some(SERVER_CUT);
        }
        if let Some(refusal) = self.rejection() {
            return Some(Obstacle { by: refusal.policy(), reason: refusal.reason() });
        }
        match (self.error(), self.ending) {
            (Some(kind), _) => Some(Obstacle { by: "error", reason: kind.as_str() }),
            (None, Ending::ClientGone) => Some(CLIENT_GONE),
            (None, _) => None,
        }
    }
}

impl std::fmt::Debug for EndedRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EndedRequest").field("ending", &self.ending).finish_non_exhaustive()
    }
}
