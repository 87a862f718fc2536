//! The account of one request, from its arrival to its end.

use std::{borrow::Cow, thread};

use gatewright_core::{ErrorKind, RequestRecord};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};

use crate::{EndedRequest, Ending, Observers, watched_headers::KeptHeaders};

/// Gathers what observers see of a request, and tells them when it is dropped: no end of a request can be missed.
#[derive(Debug)]
pub(crate) struct Account {
    observers: Observers,
    pub(crate) record: RequestRecord,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    host: Option<HeaderValue>,
    status: Option<StatusCode>,
    bytes_out: u64,
    end: End,
    kept: Option<Box<KeptHeaders>>,
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
    pub(crate) fn open<B>(observers: Observers, record: RequestRecord, request: &Request<B>) -> Self {
        // An absolute-form target and HTTP/2 say it in the target, which then rules (RFC 9112, section 3.2.2).
        let host = match request.uri().authority() {
            Some(_) => None,
            None => request.headers().get(header::HOST).cloned(),
        };
        let kept = observers.watched_headers().and_then(|watched| watched.keep(request.headers()));
        Self {
            observers,
            record,
            method: request.method().clone(),
            uri: request.uri().clone(),
            host,
            status: None,
            bytes_out: 0,
            end: End::Open,
            kept,
        }
    }

    pub(crate) fn response_begins(&mut self, status: StatusCode) {
        // Nobody gets what begins on a connection that has been cut.
        if !self.is_cut() {
            self.status = Some(status);
        }
    }

    /// Keeps what observers ask for of the response's head, and tells them when a stream begins.
    pub(crate) fn response_head(&mut self, headers: &HeaderMap) {
        if let Some((kept, watched)) = self.kept.as_mut().zip(self.observers.watched_headers()) {
            kept.response = watched.keep_response(headers);
        }
        if self.observers.watch_streams() && self.is_stream(headers) {
            self.tell(Ending::Open, |ended| self.observers.stream_began(ended));
        }
    }

    /// Whether the response may live long.
    fn is_stream(&self, headers: &HeaderMap) -> bool {
        let Some(status) = self.status else { return false };
        let is_tunnel = self.method == Method::CONNECT && status.is_success();
        let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_events = media_type.is_some_and(|value| {
            value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
        });
        status == StatusCode::SWITCHING_PROTOCOLS || is_tunnel || is_events
    }

    pub(crate) fn kept(&self) -> Option<&KeptHeaders> {
        self.kept.as_deref()
    }

    fn tell(&self, ending: Ending, tell: impl FnOnce(&EndedRequest<'_>)) {
        let duration = self.record.started().elapsed();
        self.record.with_layers(|known, layers| {
            tell(&EndedRequest { account: self, known, layers, duration, ending });
        });
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

    pub(crate) fn host(&self) -> Option<Cow<'_, str>> {
        let host = match self.uri.authority() {
            Some(authority) => Cow::Borrowed(authority.as_str()),
            None => String::from_utf8_lossy(self.host.as_ref()?.as_bytes()),
        };
        Some(without_user(host))
    }

    pub(crate) fn status(&self) -> Option<StatusCode> {
        self.status
    }

    fn ending(&self) -> Ending {
        match self.end {
            _ if self.is_cut() => Ending::ServerCut,
            End::Complete => Ending::Complete,
            End::Failed(kind) => Ending::Failed(kind),
            End::Open if thread::panicking() => Ending::Failed(ErrorKind::Internal),
            End::Open => Ending::ClientGone,
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.tell(self.ending(), |ended| self.observers.request_ended(ended));
    }
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
