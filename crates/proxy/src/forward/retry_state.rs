//! What the attempts of one request have used up, and whether it goes again for free.

use gatewright_core::Error;
use http::Method;

use crate::{retries::is_idempotent, upstream::EndpointId};

/// A request is given up when this many connections were over before they took it up.
const UNSENT: u32 = 16;

/// A request is given up when endpoints have refused it this many times without having processed it.
const REFUSED: u32 = 3;

/// What the attempts so far have used up.
#[derive(Default)]
pub(super) struct RetryState {
    /// The endpoint of the last failure.
    pub(super) failed: Option<EndpointId>,
    pub(super) unconnected: u32,
    unsent: u32,
    refused: u32,
    pub(super) resent: u32,
    /// A connection that had served before closed unanswered.
    pub(super) met_a_close: bool,
}

impl RetryState {
    /// Whether a request that was given back is sent again, whatever the retries that are set: it has not been
    /// processed, or it may be carried out twice and has met the end of an idle connection (RFC 9112, section 9.3.1).
    pub(super) fn goes_again(
        &mut self,
        error: &Error,
        method: &Method,
        reused: bool,
        endpoint: EndpointId,
    ) -> bool {
        if error.is_refused() {
            self.refused += 1;
            self.failed = Some(endpoint);
            return self.refused < REFUSED;
        }
        if error.is_unsent() {
            self.unsent += 1;
            self.failed = (!reused).then_some(endpoint);
            return self.unsent < UNSENT;
        }
        let again = reused && error.is_unanswered() && !self.met_a_close && is_idempotent(method);
        if again {
            self.met_a_close = true;
            self.failed = None;
        }
        again
    }
}

#[cfg(test)]
mod tests {
    use gatewright_core::ErrorKind;

    use super::*;

    fn closed() -> Error {
        Error::new(ErrorKind::Closed, "closed")
    }

    #[test]
    fn a_post_of_which_no_byte_left_goes_again_fifteen_times() {
        let (post, mut retry_state) = (Method::POST, RetryState::default());
        for _ in 1..UNSENT {
            assert!(retry_state.goes_again(&closed().unsent(), &post, true, EndpointId::new()));
        }
        assert!(!retry_state.goes_again(&closed().unsent(), &post, true, EndpointId::new()));
    }

    #[test]
    fn a_post_that_an_endpoint_refused_goes_again_twice_and_to_another_endpoint() {
        let (post, mut retry_state) = (Method::POST, RetryState::default());
        for endpoint in (1..REFUSED).map(|_| EndpointId::new()) {
            assert!(retry_state.goes_again(&closed().refused(), &post, false, endpoint));
            assert_eq!(retry_state.failed, Some(endpoint));
        }
        assert!(!retry_state.goes_again(&closed().refused(), &post, false, EndpointId::new()));
    }

    #[test]
    fn only_a_new_connection_that_is_over_speaks_against_its_endpoint() {
        let (get, mut retry_state) = (Method::GET, RetryState::default());
        let third = EndpointId::new();
        assert!(retry_state.goes_again(&closed().unsent(), &get, false, third));
        assert_eq!(retry_state.failed, Some(third));
        // An idle connection ends wherever it leads to.
        assert!(retry_state.goes_again(&closed().unsent(), &get, true, third));
        assert_eq!(retry_state.failed, None);
        retry_state.failed = Some(third);
        assert!(retry_state.goes_again(&closed().unanswered(), &get, true, third));
        assert_eq!(retry_state.failed, None);
    }

    #[test]
    fn what_is_unanswered_goes_again_once_when_it_may_be_carried_out_twice_and_the_connection_had_served() {
        let unanswered = closed().unanswered();
        let mut retry_state = RetryState::default();
        assert!(!retry_state.goes_again(&unanswered, &Method::POST, true, EndpointId::new()));
        assert!(!retry_state.goes_again(&unanswered, &Method::GET, false, EndpointId::new()));
        assert!(!retry_state.goes_again(&closed(), &Method::GET, true, EndpointId::new()));
        assert!(!retry_state.met_a_close);
        assert!(retry_state.goes_again(&unanswered, &Method::PUT, true, EndpointId::new()));
        assert!(retry_state.met_a_close);
        assert!(!retry_state.goes_again(&unanswered, &Method::PUT, true, EndpointId::new()));
    }
}
