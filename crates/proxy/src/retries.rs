//! When a request that has left is sent again.

use std::sync::atomic::{AtomicI64, Ordering};

use gatewright_core::{Error, ErrorKind};
use http::{Method, StatusCode};

/// When a request that has left already is sent again, and how often.
///
/// It holds for idempotent methods (RFC 9110, section 9.2.2) with an empty body only, and within a budget: over all
/// requests to an upstream, at most a fifth more than its clients sent.
///
/// A request of which no byte left, or which an HTTP/2 endpoint has not processed, is sent again in any case, whatever
/// its method, with its body unless more than 64 KiB of it have left. An idempotent one is sent once more, too, when a
/// connection that had served before closes before a byte of the response (RFC 9112, section 9.3.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Retries {
    attempts: u32,
    reset: bool,
    timeout: bool,
    statuses: Vec<StatusCode>,
}

impl Retries {
    /// Sends again at most so many times.
    pub fn new(attempts: u32) -> Self {
        Self { attempts, ..Self::default() }
    }

    /// When the connection broke before the response's head was there.
    pub fn on_reset(mut self) -> Self {
        self.reset = true;
        self
    }

    /// When the response's head was not there in time.
    pub fn on_timeout(mut self) -> Self {
        self.timeout = true;
        self
    }

    /// When the response has this status.
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

/// What retries an upstream may cost: each request earns a sixth of one, and the first few are advanced.
#[derive(Debug)]
pub(crate) struct Budget(AtomicI64);

/// A retry's price, of which each request earns one part.
const PRICE: i64 = 6;

/// A quiet upstream can afford these few, a busy one saves no more of them than that. From 150 requests on, all
/// retries together are a fifth at most.
const RESERVE: i64 = 5 * PRICE;

impl Budget {
    pub(crate) fn new() -> Self {
        Self(AtomicI64::new(RESERVE))
    }

    /// Earns one request's part.
    pub(crate) fn earn(&self) {
        if self.0.load(Ordering::Relaxed) < RESERVE {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Pays for one retry, if there is enough.
    pub(crate) fn pay(&self) -> bool {
        if self.0.fetch_sub(PRICE, Ordering::Relaxed) >= PRICE {
            return true;
        }
        self.0.fetch_add(PRICE, Ordering::Relaxed);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_a_fifth_at_most() {
        let budget = Budget::new();
        let paid = (0..1000).filter(|_| {
            budget.earn();
            budget.pay()
        });
        let paid = paid.count();
        assert!((166..=172).contains(&paid), "{paid}");
    }

    #[test]
    fn a_quiet_upstream_can_afford_five_and_then_one_for_each_six_requests() {
        let budget = Budget::new();
        // What was not spent is not saved up.
        for _ in 0..1_000 {
            budget.earn();
        }
        assert_eq!((0..10).filter(|_| budget.pay()).count(), 5);
        for _ in 0..3 {
            for _ in 0..5 {
                budget.earn();
                assert!(!budget.pay());
            }
            budget.earn();
            assert!(budget.pay());
        }
    }

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
