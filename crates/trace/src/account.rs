//! The account of one request, from its arrival to its end.

use std::{borrow::Cow, thread};

use gatewright_core::{ErrorKind, Rejection, RequestRecord, reply::status_meant};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};

use crate::{EndedRequest, Ending, Observers, StartedResponse, StreamKind};

/// Gathers what observers see of a request, and tells them when it is dropped: no end of a request can be missed.
#[derive(Debug)]
pub(crate) struct Account {
    observers: Observers,
    pub(crate) record: RequestRecord,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    host: Option<HeaderValue>,
    status: Option<StatusCode>,
    stream: Option<StreamKind>,
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
    pub(crate) fn open<B>(observers: Observers, record: RequestRecord, request: &Request<B>) -> Self {
        // An absolute-form target and HTTP/2 say it in the target, which then rules (RFC 9112, section 3.2.2).
        let host = match request.uri().authority() {
            Some(_) => None,
            None => request.headers().get(header::HOST).cloned(),
        };
        observers.request_started();
        Self {
            observers,
            record,
            method: request.method().clone(),
            uri: request.uri().clone(),
            host,
            status: None,
            stream: None,
            bytes_out: 0,
            end: End::Open,
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
        self.stream = StreamKind::of(&self.method, response);
        // A refusal by somebody who knows no record rides in the response only.
        let rejection = response.extensions().get::<Rejection>();
        self.record.with(|known| {
            if let (Some(rejection), None) = (rejection, &known.rejection) {
                known.rejection = Some(rejection.clone());
            }
            self.observers.response_started(&StartedResponse { account: self, known, status });
        });
    }

    pub(crate) fn stream(&self) -> Option<StreamKind> {
        self.stream
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
        let (duration, ending) = (self.record.started().elapsed(), self.ending());
        self.record.with_layers(|known, layers| {
            let ended = EndedRequest { account: self, known, layers, duration, ending };
            self.observers.request_ended(&ended);
        });
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
