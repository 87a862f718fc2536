//! What the attempts of one request have used up, and whether it goes again for free.

use gatewright_core::Error;
use http::Request;

use crate::{body::RequestBody, retries::is_idempotent};

/// Connections that turn out to be over before the request is taken up, at most, before it is given up.
const UNSENT: u32 = 16;

/// Times that endpoints refuse the request without having processed it, at most, before it is given up.
const REFUSED: u32 = 3;

/// What the attempts so far have used up.
#[derive(Default)]
pub(crate) struct Spent {
    /// The endpoint of the last failure.
    pub(crate) failed: Option<usize>,
    pub(crate) unconnected: u32,
    unsent: u32,
    refused: u32,
    pub(crate) resent: u32,
    /// A connection that had served before closed unanswered.
    pub(crate) met_a_close: bool,
}

impl Spent {
    /// Whether a request that was given back is sent again, whatever the retries that are set: it has not been
    /// processed, or it may be carried out twice and has met the end of an idle connection (RFC 9112, section 9.3.1).
    pub(crate) fn goes_again(
        &mut self,
        error: &Error,
        whole: &Request<RequestBody>,
        reused: bool,
        index: usize,
    ) -> bool {
        if error.is_refused() {
            self.refused += 1;
            self.failed = Some(index);
            return self.refused < REFUSED;
        }
        if error.is_unsent() {
            self.unsent += 1;
            self.failed = (!reused).then_some(index);
            return self.unsent < UNSENT;
        }
        let again = reused && error.is_unanswered() && !self.met_a_close && is_idempotent(whole.method());
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
    use http::Method;

    use super::*;

    fn request(method: Method) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = method;
        request
    }

    fn closed() -> Error {
        Error::new(ErrorKind::Closed, "closed")
    }

    #[test]
    fn a_post_of_which_no_byte_left_goes_again_fifteen_times() {
        let (post, mut spent) = (request(Method::POST), Spent::default());
        for _ in 1..UNSENT {
            assert!(spent.goes_again(&closed().unsent(), &post, true, 0));
        }
        assert!(!spent.goes_again(&closed().unsent(), &post, true, 0));
    }

    #[test]
    fn a_post_that_an_endpoint_refused_goes_again_twice_and_to_another_endpoint() {
        let (post, mut spent) = (request(Method::POST), Spent::default());
        for endpoint in 1..REFUSED as usize {
            assert!(spent.goes_again(&closed().refused(), &post, false, endpoint));
            assert_eq!(spent.failed, Some(endpoint));
        }
        assert!(!spent.goes_again(&closed().refused(), &post, false, 7));
    }

    #[test]
    fn only_a_new_connection_that_is_over_speaks_against_its_endpoint() {
        let (get, mut spent) = (request(Method::GET), Spent::default());
        assert!(spent.goes_again(&closed().unsent(), &get, false, 3));
        assert_eq!(spent.failed, Some(3));
        // An idle connection ends wherever it leads to.
        assert!(spent.goes_again(&closed().unsent(), &get, true, 3));
        assert_eq!(spent.failed, None);
        spent.failed = Some(3);
        assert!(spent.goes_again(&closed().unanswered(), &get, true, 3));
        assert_eq!(spent.failed, None);
    }

    #[test]
    fn what_is_unanswered_goes_again_once_when_it_may_be_carried_out_twice_and_the_connection_had_served() {
        let unanswered = closed().unanswered();
        let mut spent = Spent::default();
        assert!(!spent.goes_again(&unanswered, &request(Method::POST), true, 0));
        assert!(!spent.goes_again(&unanswered, &request(Method::GET), false, 0));
        assert!(!spent.goes_again(&closed(), &request(Method::GET), true, 0));
        assert!(!spent.met_a_close);
        assert!(spent.goes_again(&unanswered, &request(Method::PUT), true, 0));
        assert!(spent.met_a_close);
        assert!(!spent.goes_again(&unanswered, &request(Method::PUT), true, 0));
    }
}
