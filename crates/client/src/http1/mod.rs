//! HTTP/1.1 towards an endpoint: one request at a time on a connection, driven by whoever waits for it.
//!
//! 1. A connection has no task of its own. The future of a request writes the request and reads the head of the response.
//!    The body of the response reads the rest. Dropping either one closes the connection.
//! 2. Where they suffice, one write and one read serve a request. A small body goes out with its head. The beginning of a
//!    response's body is a slice of the buffer that held its head.
//! 3. A response is taken literally or refused: two framings, lengths that contradict each other, bare line feeds, folded
//!    lines and space before a colon are errors (RFC 9112).
//! 4. A response that comes before its request has left is given at once. A task sends the rest of the request meanwhile.
//! 5. A connection is used again only when the whole request has left, the whole response has been read, and nothing
//!    follows it.

mod background_upload;
mod connection;
mod exchange;
#[cfg(fuzzing)]
pub mod fuzzing;
mod incoming;
mod upgraded;
mod upload;

use std::time::Duration;

use gatewright_core::{Error, ErrorKind};
use gatewright_http1::Violation;

pub(crate) use connection::Connection;
pub(crate) use exchange::Exchange;
pub(crate) use incoming::Incoming;

/// How long an endpoint that has answered may take nothing of the rest of the request, unless that is set.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// How many interim responses may come before the final one.
const MAX_INTERIM: u8 = 32;

/// The endpoint broke a rule. Its response may not end where it seems to.
fn malformed(violation: Violation) -> Error {
    Error::new(ErrorKind::Protocol, violation)
}

#[cfg(test)]
mod tests;
