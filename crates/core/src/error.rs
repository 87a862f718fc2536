//! Failures, and which side they are on.

use std::{error::Error as StdError, fmt, io, iter};

use crate::{Rejection, tower_errors};

/// Any error, as Tower's services box it.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// A failure on the way of a request: what failed, on which side, and why.
///
/// The cause is for logs; no text of it reaches a client. [`problem::from_error`](crate::problem::from_error) holds
/// the status of each kind.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    reached: Reached,
    source: Option<BoxError>,
}

/// How far a request came before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// No byte of it left, or it counts as never sent.
    Nothing,
    /// The endpoint has refused it without having processed it.
    Refused,
    /// The endpoint may have processed it, and has answered nothing.
    Endpoint,
    /// Nothing is known.
    Unknown,
}

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The upstream's name does not resolve.
    Resolve,
    /// No connection to the upstream.
    Connect,
    /// The TLS handshake with the upstream failed.
    Tls,
    /// The connection to the upstream was not there in time.
    ConnectTimeout,
    /// The upstream's response head was not there in time.
    ResponseTimeout,
    /// No byte passed for longer than the idle timeout, on the upstream's side.
    IdleTimeout,
    /// The upstream has no free connection, and none became free in time.
    Overloaded,
    /// The upstream has no endpoint at the moment.
    NoEndpoint,
    /// A time limit ran out that a layer around the service has set: tower's `timeout`, say.
    Timeout,
    /// A layer around the service took no more requests: tower's `load_shed`, say.
    LoadShed,
    /// The upstream closed the connection before its response was whole.
    Closed,
    /// The upstream's response is not valid HTTP.
    Protocol,
    /// The client's request body ended before it was whole, or is not valid HTTP.
    RequestBody,
    /// The client sent no byte of its request body for longer than the idle timeout.
    RequestBodyTimeout,
    /// The client's request body is longer than the gateway takes.
    RequestBodyTooLarge,
    /// The request asks for what no proxy may forward.
    BadRequest,
    /// The request has come back to the gateway that forwarded it, too often.
    Loop,
    /// A fault of the gateway's own.
    Internal,
}

/// Which side failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Side {
    /// The client.
    Downstream,
    /// The service behind the gateway.
    Upstream,
    /// The gateway itself.
    Gateway,
}

impl Error {
    /// An error of this kind, with its cause.
    pub fn new(kind: ErrorKind, source: impl Into<BoxError>) -> Self {
        Self(Box::new(Inner { kind, reached: Reached::Unknown, source: Some(source.into()) }))
    }

    /// Takes any service's error: ours as it is, wherever it stands in the chain of causes; with the feature `tower` that of
    /// tower's `timeout` as [`ErrorKind::Timeout`], and that of its `load_shed` as [`ErrorKind::LoadShed`]; another one
    /// as [`ErrorKind::Internal`].
    pub fn from_service(error: impl Into<BoxError>) -> Self {
        Self::caused_by(ErrorKind::Internal, error)
    }

    /// Takes a body's error: ours as it is, another one as [`ErrorKind::RequestBody`], since the upstream's bodies
    /// are typed where they are made.
    pub fn from_body(error: impl Into<BoxError>) -> Self {
        Self::caused_by(ErrorKind::RequestBody, error)
    }

    /// Takes any error: ours as it is, wherever it stands in the chain of causes; another one as of this kind.
    pub fn caused_by(otherwise: ErrorKind, error: impl Into<BoxError>) -> Self {
        match error.into().downcast::<Self>() {
            Ok(ours) => *ours,
            Err(other) => {
                let known = causes(&*other).find_map(known);
                let (kind, reached) = known.unwrap_or((otherwise, Reached::Unknown));
                Self(Box::new(Inner { kind, reached, source: Some(other) }))
            }
        }
    }

    /// The refusal among its causes. A service or a layer that fails with a [`Rejection`] says itself what the client gets.
    pub fn rejection(&self) -> Option<&Rejection> {
        causes(self).find_map(|cause| cause.downcast_ref())
    }

    /// All that it says, with its causes, for logs: `a fault inside the gateway: cannot read the quote: no such table`.
    pub fn chain(&self) -> impl fmt::Display + '_ {
        Chain(self)
    }

    /// Marks that no byte of the request left the gateway, or that it counts as never sent (RFC 9113, section 6.8), so
    /// that it may be sent again whatever its method.
    #[must_use]
    pub fn unsent(mut self) -> Self {
        self.0.reached = Reached::Nothing;
        self
    }

    /// Marks that the endpoint has refused the request without having processed it, so that it may be sent again
    /// whatever its method (RFC 9113, section 8.7).
    #[must_use]
    pub fn refused(mut self) -> Self {
        self.0.reached = Reached::Refused;
        self
    }

    /// Marks that the connection closed after the request, or a part of it, had left and before a byte of the response
    /// came. On a connection that had served before, an idempotent request may be sent once more (RFC 9112, section
    /// 9.3.1).
    #[must_use]
    pub fn unanswered(mut self) -> Self {
        self.0.reached = Reached::Endpoint;
        self
    }

    /// What failed.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Which side failed.
    pub fn side(&self) -> Side {
        self.0.kind.side()
    }

    /// Whether a time limit ran out.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::ConnectTimeout
                | ErrorKind::ResponseTimeout
                | ErrorKind::IdleTimeout
                | ErrorKind::RequestBodyTimeout
                | ErrorKind::Timeout
        )
    }

    /// Whether there was no connection to send on.
    pub fn is_connect(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Resolve
                | ErrorKind::Connect
                | ErrorKind::Tls
                | ErrorKind::ConnectTimeout
                | ErrorKind::Overloaded
                | ErrorKind::NoEndpoint
        )
    }

    /// Whether no byte of the request left the gateway, or the endpoint has not processed it.
    pub fn is_unsent(&self) -> bool {
        matches!(self.0.reached, Reached::Nothing | Reached::Refused) || self.is_connect()
    }

    /// Whether the endpoint has refused the request without having processed it.
    pub fn is_refused(&self) -> bool {
        self.0.reached == Reached::Refused
    }

    /// Whether the connection closed between the request and the first byte of its response.
    pub fn is_unanswered(&self) -> bool {
        self.0.reached == Reached::Endpoint
    }
}

/// The kind of an error that is ours, or a layer's that we know.
fn known(error: &(dyn StdError + 'static)) -> Option<(ErrorKind, Reached)> {
    if let Some(ours) = error.downcast_ref::<Error>() {
        return Some((ours.0.kind, ours.0.reached));
    }
    match tower_errors::kind(error)? {
        ErrorKind::LoadShed => Some((ErrorKind::LoadShed, Reached::Nothing)),
        kind => Some((kind, Reached::Unknown)),
    }
}

/// An error, its cause, the cause of that, and so on.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    // Some errors lead back to themselves.
    const MOST: usize = 64;
    iter::successors(Some(error), |error| cause(*error)).take(MOST)
}

fn cause<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    // An `io::Error` skips what it wraps when it is asked for its source.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

struct Chain<'a>(&'a Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = String::new();
        for (position, cause) in causes(self.0).enumerate() {
            let text = cause.to_string();
            // A wrapper often says what it wraps.
            if position == 0 {
                f.write_str(&text)?;
            } else if text != said {
                write!(f, ": {text}")?;
            }
            said = text;
        }
        Ok(())
    }
}

impl ErrorKind {
    /// The kind of any error: see [`Error::from_service`].
    pub fn of(error: &(dyn StdError + 'static)) -> Self {
        causes(error).find_map(known).map_or(Self::Internal, |(kind, _)| kind)
    }

    /// Which side fails when this does.
    pub fn side(self) -> Side {
        match self {
            Self::RequestBody | Self::RequestBodyTimeout | Self::RequestBodyTooLarge | Self::BadRequest => {
                Side::Downstream
            }
            Self::Loop | Self::Timeout | Self::LoadShed | Self::Internal => Side::Gateway,
            _ => Side::Upstream,
        }
    }

    /// A short stable name, for the `rejection` field of logs and the `reason` label of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::ConnectTimeout => "connect_timeout",
            Self::ResponseTimeout => "response_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::Overloaded => "overloaded",
            Self::NoEndpoint => "no_endpoint",
            Self::Timeout => "timeout",
            Self::LoadShed => "load_shed",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::RequestBody => "request_body",
            Self::RequestBodyTimeout => "request_body_timeout",
            Self::RequestBodyTooLarge => "request_body_too_large",
            Self::BadRequest => "bad_request",
            Self::Loop => "loop",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("reached", &self.0.reached)
            .field("source", &self.0.source)
            .finish()
    }
}

/// One level only; the cause is [`source`](StdError::source)'s to tell.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.kind {
            ErrorKind::Resolve => "the upstream's name does not resolve",
            ErrorKind::Connect => "no connection to the upstream",
            ErrorKind::Tls => "the TLS handshake with the upstream failed",
            ErrorKind::ConnectTimeout => "connecting to the upstream took too long",
            ErrorKind::ResponseTimeout => "the upstream's response took too long",
            ErrorKind::IdleTimeout => "the upstream sent nothing for too long",
            ErrorKind::Overloaded => "the upstream has no free connection",
            ErrorKind::NoEndpoint => "the upstream has no endpoint",
            ErrorKind::Timeout => "a time limit around the service ran out",
            ErrorKind::LoadShed => "a layer around the service takes no more requests",
            ErrorKind::Closed => "the upstream closed the connection early",
            ErrorKind::Protocol => "the upstream's response is not valid HTTP",
            ErrorKind::RequestBody => "the request body ended early or is not valid",
            ErrorKind::RequestBodyTooLarge => "the request body is longer than the gateway takes",
            ErrorKind::RequestBodyTimeout => "the client sent nothing of its request body for too long",
            ErrorKind::BadRequest => "the request cannot be forwarded",
            ErrorKind::Loop => "the upstream leads back to this gateway",
            ErrorKind::Internal => "a fault inside the gateway",
        })
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<std::convert::Infallible> for Error {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = if error.is_timeout() { io::ErrorKind::TimedOut } else { io::ErrorKind::Other };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As libraries write them: what it says, and the cause.
    #[derive(Debug)]
    struct Layered(&'static str, Option<BoxError>);

    impl fmt::Display for Layered {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl StdError for Layered {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_deref().map(|source| source as _)
        }
    }

    #[test]
    fn the_whole_chain_is_told() {
        let cause =
            Layered("cannot read the quote", Some(io::Error::other(Layered("no such table", None)).into()));
        for (error, text) in [
            (Error::from_service(cause), "a fault inside the gateway: cannot read the quote: no such table"),
            (Error::from_service("alone"), "a fault inside the gateway: alone"),
            (Error::new(ErrorKind::Connect, "refused"), "no connection to the upstream: refused"),
            (Error::from_service(Layered("", None)), "a fault inside the gateway: "),
        ] {
            assert_eq!(error.chain().to_string(), text);
        }
    }

    #[test]
    fn a_chain_that_never_ends_is_cut() {
        #[derive(Debug)]
        struct Endless;

        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("again")
            }
        }

        impl StdError for Endless {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(self)
            }
        }

        let error = Error::from_service(Endless);
        assert_eq!(
            (error.kind(), error.chain().to_string().as_str()),
            (ErrorKind::Internal, "a fault inside the gateway: again")
        );
    }

    #[test]
    fn a_refusal_among_the_causes_is_what_the_client_gets() {
        let refusal =
            || Rejection::new(http::StatusCode::CONFLICT, "orders", "conflict").detail("Somebody was first.");
        for error in [
            Error::from_service(refusal()),
            Error::from_service(Layered("wrapped", Some(refusal().into()))),
            Error::from_service(io::Error::other(refusal())),
            Error::new(ErrorKind::Connect, refusal()),
        ] {
            let response = crate::problem::from_error(&error, crate::ReplyFormat::Problem, None);
            assert_eq!(response.status(), 409);
            assert!(String::from_utf8_lossy(response.body()).contains("Somebody was first."));
        }
        assert!(Error::from_service("x").rejection().is_none());
    }

    #[test]
    fn ours_is_found_behind_anothers() {
        let ours = Error::new(ErrorKind::ResponseTimeout, "5 s");
        let wrapped = io::Error::other(ours);
        let found = Error::from_service(Box::new(wrapped) as BoxError);
        assert_eq!(found.kind(), ErrorKind::ResponseTimeout);
        assert!(found.is_timeout());
        assert_eq!(Error::from_service("x").kind(), ErrorKind::Internal);
    }
}
