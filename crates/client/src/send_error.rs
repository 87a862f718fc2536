//! A request that could not be sent, and how far it came.

use std::{fmt, io};

use gatewright_core::{Error, ErrorKind};
use h2::Reason;
use http::Request;
use hyper::client::conn::TrySendError;

use crate::Taken;

/// A request could not be sent, or its response did not come.
pub struct SendError<B> {
    error: Error,
    request: Option<Box<(Request<B>, Taken)>>,
}

/// A request whose body has not been touched.
fn untaken<B>(request: Option<Request<B>>) -> Option<Box<(Request<B>, Taken)>> {
    request.map(|request| Box::new((request, Taken::default())))
}

impl<B> SendError<B> {
    pub(crate) fn new(error: Error) -> Self {
        Self { error, request: None }
    }

    /// No byte of the request has left.
    pub(crate) fn unsent(error: Error, request: Option<Request<B>>) -> Self {
        Self { error: error.unsent(), request: untaken(request) }
    }

    /// The connection closed before a byte of the response came. `request` is there when it is still whole.
    pub(crate) fn unanswered(error: Error, request: Option<Request<B>>) -> Self {
        Self { error: error.unanswered(), request: untaken(request) }
    }

    /// `left` tells whether any byte has left on the connection since the request was handed to it.
    pub(crate) fn of_http2<U>(
        mut failure: TrySendError<U>,
        left: bool,
        request: Option<(Request<B>, Taken)>,
    ) -> Self {
        let unsent = failure.take_message().is_some();
        let cause = failure.into_error();
        let closed = is_closed(&cause);
        let reached = match h2_error(&cause) {
            _ if unsent || closed && !left => Reached::Nothing,
            Some(error) if is_beyond_goaway(error) => Reached::Nothing,
            Some(error) if was_refused(error) => Reached::Refused,
            _ if closed => Reached::Endpoint,
            _ => Reached::Unknown,
        };
        let error = classify(cause);
        let error = match reached {
            Reached::Nothing => error.unsent(),
            Reached::Refused => error.refused(),
            Reached::Endpoint => error.unanswered(),
            Reached::Unknown => return Self::new(error),
        };
        Self { error, request: request.map(Box::new) }
    }

    /// The error, and the request when nothing of its body is lost. If the endpoint has not processed the request
    /// ([`Error::is_unsent`]), it may be sent again whatever its method is. If its connection closed unanswered
    /// ([`Error::is_unanswered`]), it may be sent again only when its method is idempotent.
    pub fn into_parts(self) -> (Error, Option<Request<B>>) {
        let (error, given_back) = self.into_replay();
        (error, given_back.and_then(|(request, taken)| taken.is_nothing().then_some(request)))
    }

    /// Like [`into_parts`](Self::into_parts), but also gives back a request whose body was partly taken. Over HTTP/2, up to
    /// 64 KiB are kept until the response begins. The part that was taken has to be sent before the rest of the body.
    pub fn into_replay(self) -> (Error, Option<(Request<B>, Taken)>) {
        (self.error, self.request.map(|given_back| *given_back))
    }
}

/// How far a request came before it failed.
enum Reached {
    Nothing,
    Refused,
    Endpoint,
    Unknown,
}

/// Finds an error of our own in the chain of causes, such as that of the request's body. Other errors get a kind.
pub(crate) fn classify(cause: hyper::Error) -> Error {
    let kind = kind(cause.is_parse(), h2_error(&cause).and_then(h2::Error::reason));
    Error::caused_by(kind, cause)
}

/// The kind: the endpoint breaks the protocol, or the connection has ended in another way.
fn kind(is_parse: bool, reason: Option<Reason>) -> ErrorKind {
    match reason {
        _ if is_parse => ErrorKind::Protocol,
        Some(Reason::PROTOCOL_ERROR | Reason::FRAME_SIZE_ERROR | Reason::COMPRESSION_ERROR) => {
            ErrorKind::Protocol
        }
        _ => ErrorKind::Closed,
    }
}

fn h2_error(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

/// Whether the endpoint says that this stream is beyond the last one that it processes. Such a stream counts as never
/// created (RFC 9113, section 6.8). h2 gives the error of a GOAWAY, whatever its code, to these streams and to later
/// requests. The other streams get an I/O error when the connection closes.
fn is_beyond_goaway(error: &h2::Error) -> bool {
    error.is_go_away() && error.is_remote()
}

/// Whether the endpoint says that it has not processed the stream (RFC 9113, section 8.7).
fn was_refused(error: &h2::Error) -> bool {
    error.is_reset() && error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM)
}

/// Whether the connection has broken or ended. hyper passes an I/O error of h2 on as it is.
fn is_closed(error: &hyper::Error) -> bool {
    let io = std::error::Error::source(error).is_some_and(|cause| cause.is::<io::Error>());
    io || error.is_closed() || error.is_canceled()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_breaks_the_protocol_is_told_from_one_that_closes() {
        for (reason, expected) in [
            (Some(Reason::PROTOCOL_ERROR), ErrorKind::Protocol),
            (Some(Reason::FRAME_SIZE_ERROR), ErrorKind::Protocol),
            (Some(Reason::COMPRESSION_ERROR), ErrorKind::Protocol),
            (Some(Reason::NO_ERROR), ErrorKind::Closed),
            (Some(Reason::INTERNAL_ERROR), ErrorKind::Closed),
            (Some(Reason::REFUSED_STREAM), ErrorKind::Closed),
            (Some(Reason::ENHANCE_YOUR_CALM), ErrorKind::Closed),
            (None, ErrorKind::Closed),
        ] {
            assert_eq!(kind(false, reason), expected, "{reason:?}");
            assert_eq!(kind(true, reason), ErrorKind::Protocol, "{reason:?}");
        }
    }

    #[test]
    fn it_is_shown_as_what_went_wrong() {
        let error = || Error::new(ErrorKind::Closed, "the endpoint went away");
        let failure = SendError::<()>::new(error());
        assert_eq!(failure.to_string(), error().to_string());
        assert!(format!("{failure:?}").contains("given_back: false"), "{failure:?}");
        let source = std::error::Error::source(&failure).map(ToString::to_string);
        assert_eq!(source, std::error::Error::source(&error()).map(ToString::to_string));
        let given_back = SendError::unsent(error(), Some(Request::new(())));
        assert!(format!("{given_back:?}").contains("given_back: true"), "{given_back:?}");
    }
}
