//! Failures, and which side they are on.

use std::{error::Error as StdError, fmt, io};

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
    /// The upstream closed the connection before its response was whole.
    Closed,
    /// The upstream's response is not valid HTTP.
    Protocol,
    /// The client's request body ended before it was whole, or is not valid HTTP.
    RequestBody,
    /// The client sent no byte of its request body for longer than the idle timeout.
    RequestBodyTimeout,
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

    /// Takes any service's error: ours as it is, wherever it stands in the chain of causes; another one as
    /// [`ErrorKind::Internal`].
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
                let found = Self::in_chain(&*other).map(|ours| (ours.0.kind, ours.0.reached));
                let (kind, reached) = found.unwrap_or((otherwise, Reached::Unknown));
                Self(Box::new(Inner { kind, reached, source: Some(other) }))
            }
        }
    }

    fn in_chain<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Self> {
        let mut cause = Some(error);
        while let Some(error) = cause {
            if let Some(ours) = error.downcast_ref::<Self>() {
                return Some(ours);
            }
            // An `io::Error` skips what it wraps when it is asked for its source.
            cause = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(wrapped) => Some(wrapped),
                None => error.source(),
            };
        }
        None
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

impl ErrorKind {
    /// Which side fails when this does.
    pub fn side(self) -> Side {
        match self {
            Self::RequestBody | Self::RequestBodyTimeout | Self::BadRequest => Side::Downstream,
            Self::Loop | Self::Internal => Side::Gateway,
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
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::RequestBody => "request_body",
            Self::RequestBodyTimeout => "request_body_timeout",
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
            ErrorKind::Closed => "the upstream closed the connection early",
            ErrorKind::Protocol => "the upstream's response is not valid HTTP",
            ErrorKind::RequestBody => "the request body ended early or is not valid",
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
