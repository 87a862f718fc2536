//! The account of one request, from its arrival to its end.

use std::{borrow::Cow, thread};

use gatewright_core::{ErrorKind, Rejection, RequestRecord, reply::status_meant};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, Version, header};

use crate::{EndedRequest, Ending, Observers, StartedResponse, StreamKind, watched_headers::KeptHeaders};

/// Gathers what observers see of a request, and tells them when it is dropped: no end of a request can be missed.
#[derive(Debug)]
pub(crate) struct Account {
    observers: Observers,
    pub(crate) record: RequestRecord,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    host: Option<HeaderValue>,
    status: Option<StatusCode>,
    stream: Option<StreamKind>,
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
        if observers.watch_starts() {
            observers.request_started();
        }
        let kept = observers.watched_headers().and_then(|watched| watched.keep(request.headers()));
        Self {
            observers,
            record,
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            host,
            status: None,
            stream: None,
            bytes_out: 0,
            end: End::Open,
            kept,
        }
    }

    /// Takes down the head of the response, and tells the observers.
    pub(crate) fn response_begins<B>(&mut self, response: &Response<B>) {
        // Nobody gets what begins on a connection that has been cut.
        if self.is_cut() {
            return;
        }
        let status = status_meant(response);
        self.status = Some(status);
        // A refusal by somebody who knows no record rides in the response only.
        if let Some(rejection) = response.extensions().get::<Rejection>() {
            self.record.with(|known| {
                known.rejection.get_or_insert_with(|| rejection.clone());
            });
        }
        if let Some((kept, watched)) = self.kept.as_mut().zip(self.observers.watched_headers()) {
            kept.response = watched.keep_response(response.headers());
        }
        if self.observers.watch_starts() {
            self.stream = StreamKind::of(&self.method, response);
            self.tell(Ending::Open, |request| {
                self.observers.response_started(&StartedResponse { request, status });
            });
        }
    }

    pub(crate) fn stream(&self) -> Option<StreamKind> {
        self.stream
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
        // Nearly all of them: a look at a few bytes costs less than a search from the end.
        authority if authority.bytes().all(|byte| byte != b'@') => authority,
        Cow::Borrowed(text) => Cow::Borrowed(text.rsplit_once('@').map_or(text, |(_, host)| host)),
        Cow::Owned(text) => match text.rsplit_once('@') {
            Some((_, host)) => Cow::Owned(host.to_owned()),
            None => Cow::Owned(text),
        },
    }
}
