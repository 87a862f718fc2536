//! What becomes of a request that could not be sent.

use std::fmt;

use gatewright_core::{Error, ErrorKind};
use h2::Reason;
use http::Request;
use hyper::client::conn::TrySendError;

/// A request could not be sent, or its response did not come.
pub struct SendError<B> {
    error: Error,
    request: Option<Box<Request<B>>>,
}

impl<B> SendError<B> {
    pub(crate) fn new(error: Error) -> Self {
        Self { error, request: None }
    }

    /// No byte of the request has left.
    pub(crate) fn unsent(error: Error, request: Option<Request<B>>) -> Self {
        Self { error: error.unsent(), request: request.map(Box::new) }
    }

    /// The connection closed before a byte of the response came. `request` is there when it is whole still.
    pub(crate) fn unanswered(error: Error, request: Option<Request<B>>) -> Self {
        Self { error: error.unanswered(), request: request.map(Box::new) }
    }

    pub(crate) fn of_http2(mut failure: TrySendError<Request<B>>) -> Self {
        let request = failure.take_message();
        let cause = failure.into_error();
        let unsent = request.is_some() || was_refused(&cause);
        let error = classify(cause);
        let error = if unsent { error.unsent() } else { error };
        Self { error, request: request.map(Box::new) }
    }

    /// Why, and the request when it can be sent again: when no byte of it left ([`Error::is_unsent`]), or when its
    /// connection closed unanswered ([`Error::is_unanswered`]) and none of its body had been taken. In the latter case
    /// the endpoint may have carried it out, so that it may be sent again only when its method is idempotent.
    pub fn into_parts(self) -> (Error, Option<Request<B>>) {
        (self.error, self.request.map(|request| *request))
    }
}
/// Our own errors, the request body's say, are found in the chain of causes; of the others the kind is what counts.
pub(crate) fn classify(cause: hyper::Error) -> Error {
    let kind = match h2_error(&cause).and_then(h2::Error::reason) {
        _ if cause.is_parse() => ErrorKind::Protocol,
        Some(Reason::PROTOCOL_ERROR | Reason::FRAME_SIZE_ERROR | Reason::COMPRESSION_ERROR) => {
            ErrorKind::Protocol
        }
        _ => ErrorKind::Closed,
    };
    Error::caused_by(kind, cause)
}

fn h2_error(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// The endpoint says that it has not looked at the stream (RFC 9113, sections 6.8 and 8.7): h2 gives the error of a
/// graceful GOAWAY to those streams only that are beyond the last one that the endpoint has taken up.
fn was_refused(error: &hyper::Error) -> bool {
    h2_error(error).is_some_and(|error| match error.reason() {
        Some(Reason::REFUSED_STREAM) => error.is_reset() && error.is_remote(),
        Some(Reason::NO_ERROR) => error.is_go_away() && error.is_remote(),
        _ => false,
    })
}

impl<B> fmt::Debug for SendError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("error", &self.error)
            .field("given_back", &self.request.is_some())
            .finish()
    }
}

impl<B> fmt::Display for SendError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<B> std::error::Error for SendError<B> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}
