//! The account of one request, from its arrival to its end.

use std::{borrow::Cow, thread};

use gatewright_core::{ConnectionInfo, ErrorKind, Rejection, RequestRecord};
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};

use crate::access_log::{AccessLog, Ago, Label, Line};

const CLIENT_GONE: Label<'static> = Label { by: "client", reason: "gone" };

/// The server's time to drain was over.
const CUT: Label<'static> = Label { by: "server", reason: "cut" };

/// nginx's status for a client that left before a response began; no client ever sees it.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// Gathers what the line needs, and writes it when it is dropped: no end of a request can be missed.
#[derive(Debug)]
pub(crate) struct Account {
    log: AccessLog,
    record: RequestRecord,
    method: Method,
    uri: Uri,
    host: Option<HeaderValue>,
    status: Option<StatusCode>,
    bytes_out: u64,
    end: End,
}

/// How the request ended.
#[derive(Debug)]
enum End {
    /// Nothing said so yet: when the account is dropped like this, it was given up.
    Open,
    Complete,
    Failed(ErrorKind),
}

impl Account {
    pub(crate) fn open<B>(log: AccessLog, record: RequestRecord, request: &Request<B>) -> Self {
        // An absolute-form target and HTTP/2 say it in the target, which then rules (RFC 9112, section 3.2.2).
        let host = match request.uri().authority() {
            Some(_) => None,
            None => request.headers().get(header::HOST).cloned(),
        };
        Self {
            log,
            record,
            method: request.method().clone(),
            uri: request.uri().clone(),
            host,
            status: None,
            bytes_out: 0,
            end: End::Open,
        }
    }

    pub(crate) fn response_begins(&mut self, status: StatusCode) {
        // Nobody gets what begins on a connection that has been cut.
        if !self.is_cut() {
            self.status = Some(status);
        }
    }

    fn is_cut(&self) -> bool {
        self.record.connection().is_some_and(|connection| connection.is_cut())
    }

    /// Whether the response to this request has no body whatever it says (RFC 9110, section 6.4.1).
    pub(crate) fn has_no_body(&self) -> bool {
        self.method == Method::HEAD
            || self.status.is_some_and(|status| {
                status.is_informational() || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
            })
    }

    pub(crate) fn bytes_out(&self) -> u64 {
        self.bytes_out
    }

    pub(crate) fn add_bytes_out(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    pub(crate) fn complete(&mut self) {
        self.end = End::Complete;
    }

    pub(crate) fn fail(&mut self, kind: ErrorKind) {
        self.end = End::Failed(kind);
    }

    fn host(&self) -> Option<Cow<'_, str>> {
        let host = match self.uri.authority() {
            Some(authority) => Cow::Borrowed(authority.as_str()),
            None => String::from_utf8_lossy(self.host.as_ref()?.as_bytes()),
        };
        Some(without_user(host))
    }

    /// The status and label that the end of the request gives it, when nobody inside knew better.
    fn ending(&self) -> (Option<u16>, Option<Label<'static>>) {
        let status = self.status.map(|status| status.as_u16());
        let failed = |kind: ErrorKind| Some(Label { by: "error", reason: kind.as_str() });
        match self.end {
            End::Complete => (status, None),
            End::Failed(kind) => (status, failed(kind)),
            End::Open if thread::panicking() => (status, failed(ErrorKind::Internal)),
            End::Open => (status.or(Some(CLIENT_CLOSED_REQUEST)), Some(CLIENT_GONE)),
        }
    }

    /// The same of a request that the server has cut. What becomes of it inside is a consequence.
    fn cut(&self) -> (Option<u16>, Option<Label<'static>>) {
        (Some(self.status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE).as_u16()), Some(CUT))
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        let duration = self.record.started().elapsed();
        let is_cut = self.is_cut();
        let (status, label) = if is_cut { self.cut() } else { self.ending() };
        self.record.with(|known| {
            let connection = self.record.connection().map(|connection| &**connection);
            let peer = connection.map(ConnectionInfo::peer);
            let refusal = known.rejection.as_ref().map(of_policy);
            let failure = known.error.map(|kind| Label { by: "error", reason: kind.as_str() });
            self.log.append(&Line {
                ts: Ago(duration),
                request_id: known.request_id.as_ref().and_then(|id| id.to_str().ok()),
                trace_id: known.trace_id,
                client: known.client.map(|client| client.address()).or(peer.map(|peer| peer.ip())),
                method: Some(self.method.as_str()),
                host: self.host(),
                path: Some(self.uri.path()),
                route: known.route.as_deref(),
                upstream: known.upstream.as_deref(),
                endpoint: known.endpoint.as_deref(),
                status,
                bytes_in: Some(self.record.bytes_in()),
                bytes_out: Some(self.bytes_out),
                duration_ms: Some(duration),
                upstream_ms: known.upstream_time,
                principal: known.principal.as_ref().map(|principal| principal.id()),
                credential: known.principal.as_ref().and_then(|principal| principal.credential()),
                rejection: if is_cut { label } else { refusal.or(failure).or(label) },
                would_reject: known.would_reject.as_ref().map(of_policy),
            });
        });
    }
}

fn of_policy(refusal: &Rejection) -> Label<'_> {
    Label { by: refusal.policy(), reason: refusal.reason() }
}

/// An authority without `user:password@`.
fn without_user(authority: Cow<'_, str>) -> Cow<'_, str> {
    match authority {
        Cow::Borrowed(text) => Cow::Borrowed(text.rsplit_once('@').map_or(text, |(_, host)| host)),
        Cow::Owned(text) => match text.rsplit_once('@') {
            Some((_, host)) => Cow::Owned(host.to_owned()),
            None => Cow::Owned(text),
        },
    }
}
