use std::fmt;

use gatewright_core::{Error, ErrorKind};
use http::Request;
use hyper::client::conn::TrySendError;

/// A request could not be sent, or its response did not come.
pub struct SendError<B> {
    error: Error,
    request: Option<Box<Request<B>>>,
}

impl<B> SendError<B> {
    pub(super) fn of(mut failure: TrySendError<Request<B>>) -> Self {
        let request = failure.take_message();
        let cause = failure.into_error();
        let unsent = request.is_some() || was_refused(&cause);
        let error = classify(cause);
        let error = if unsent { error.unsent() } else { error };
        Self { error, request: request.map(Box::new) }
    }

    pub(super) fn two_lengths() -> Self {
        let cause = "the response has both Content-Length and Transfer-Encoding";
        Self { error: Error::new(ErrorKind::Protocol, cause), request: None }
    }

    /// Why, and the request when no byte of it left.
    pub fn into_parts(self) -> (Error, Option<Request<B>>) {
        (self.error, self.request.map(|request| *request))
    }
}

/// Our own errors, the request body's say, are found in the chain of causes; of the others the kind is what counts.
pub(super) fn classify(cause: hyper::Error) -> Error {
    let kind = if cause.is_parse() {
        ErrorKind::Protocol
    } else if let Some(reason) = h2_error(&cause).and_then(h2::Error::reason) {
        match reason {
            h2::Reason::PROTOCOL_ERROR | h2::Reason::FRAME_SIZE_ERROR | h2::Reason::COMPRESSION_ERROR => {
                ErrorKind::Protocol
            }
            _ => ErrorKind::Closed,
        }
    } else {
        ErrorKind::Closed
    };
    let ours = Error::from_service(cause);
    if ours.kind() == ErrorKind::Internal { Error::new(kind, ours) } else { ours }
}

fn h2_error(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// The endpoint says that it has not looked at the stream (RFC 9113, section 8.7).
fn was_refused(error: &hyper::Error) -> bool {
    h2_error(error).is_some_and(|error| error.reason() == Some(h2::Reason::REFUSED_STREAM))
}

impl<B> fmt::Debug for SendError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("error", &self.error)
            .field("unsent", &self.request.is_some())
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
