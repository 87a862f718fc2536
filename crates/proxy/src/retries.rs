//! When a request that has left the gateway is sent again.

use gatewright_core::{Error, ErrorKind};
use http::{Method, StatusCode};

/// The size up to which a body is kept unless set: most bodies of APIs are shorter, and a thousand of them are 64 MiB.
const KEPT_BODY: usize = 64 << 10;

/// When a request that has left the gateway is sent again, and how often.
///
/// Only requests with an idempotent method (RFC 9110, section 9.2.2) are sent again. Their body is empty, or short enough
/// to be kept while it streams ([`keep_body`](Self::keep_body)). All retries together stay within a budget: over all
/// requests to an upstream, they are at most a fifth of the requests that clients sent.
///
/// Some requests are sent again in any case. A request that never left, or that an HTTP/2 endpoint has not processed, goes
/// again whatever its method is. Its body goes along, unless more than 64 KiB of it have left. An
/// idempotent request goes once more when a connection that had served before closes before a byte of the response
/// (RFC 9112, section 9.3.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Retries {
    attempts: u32,
    keep_body: Option<usize>,
    reset: bool,
    timeout: bool,
    statuses: Vec<StatusCode>,
}

impl Retries {
    /// Sends a request again at most this many times.
    pub fn new(attempts: u32) -> Self {
        Self { attempts, ..Self::default() }
    }

    /// The size in bytes up to which a request's body, with its trailers, is kept until the response is final, so that the
    /// request can be sent again. The bytes go on as they come. A request with a longer body is not sent again. 64 KiB
    /// unless set; zero keeps no body.
    pub fn keep_body(mut self, bytes: usize) -> Self {
        self.keep_body = Some(bytes);
        self
    }

    /// Sends again when the connection broke before the head of the response had come.
    pub fn on_reset(mut self) -> Self {
        self.reset = true;
        self
    }

    /// Sends again when the head of the response did not come in time.
    pub fn on_timeout(mut self) -> Self {
        self.timeout = true;
        self
    }

    /// Sends again when the response has this status.
    ///
    /// # Panics
    ///
    /// When the status is not from 100 to 999.
    pub fn on_status(mut self, status: u16) -> Self {
        let status = StatusCode::from_u16(status).expect("a status is from 100 to 999");
        self.statuses.push(status);
        self
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The size up to which a body is kept; zero when nothing is sent again.
    pub(crate) fn kept_body(&self) -> usize {
        if self.attempts == 0 { 0 } else { self.keep_body.unwrap_or(KEPT_BODY) }
    }

    pub(crate) fn cover_error(&self, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::Closed | ErrorKind::Protocol => self.reset,
            ErrorKind::ResponseTimeout => self.timeout,
            _ => false,
        }
    }

    pub(crate) fn cover_status(&self, status: StatusCode) -> bool {
        self.statuses.contains(&status)
    }
}

/// Whether a request of this method may be carried out twice.
pub(crate) fn is_idempotent(method: &Method) -> bool {
    matches!(
        *method,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_named_is_a_reason_to_send_again() {
        let of = |kind| Error::new(kind, "failed");
        let (none, reset) = (Retries::new(3), Retries::new(3).on_reset());
        let late = Retries::new(3).on_timeout().on_status(503);
        for (kind, reset_covers, late_covers) in [
            (ErrorKind::Closed, true, false),
            (ErrorKind::Protocol, true, false),
            (ErrorKind::ResponseTimeout, false, true),
            (ErrorKind::RequestBodyTimeout, false, false),
            (ErrorKind::BadRequest, false, false),
        ] {
            assert!(!none.cover_error(&of(kind)), "{kind:?}");
            assert_eq!(reset.cover_error(&of(kind)), reset_covers, "{kind:?}");
            assert_eq!(late.cover_error(&of(kind)), late_covers, "{kind:?}");
        }
        assert!(
            late.cover_status(StatusCode::SERVICE_UNAVAILABLE) && !late.cover_status(StatusCode::BAD_GATEWAY)
        );
        assert!(!none.cover_status(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(late.attempts(), 3);
    }

    #[test]
    fn the_methods_that_may_be_carried_out_twice_are_those_of_the_rfc() {
        for method in ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"] {
            assert!(is_idempotent(&method.parse().expect("a method")), "{method}");
        }
        for method in ["POST", "PATCH", "CONNECT", "PROPFIND", "get"] {
            assert!(!is_idempotent(&method.parse().expect("a method")), "{method}");
        }
    }
}
