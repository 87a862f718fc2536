//! HTTP/1.1 towards an endpoint: one request at a time on a connection, driven by whoever waits for it.
//!
//! 1. No task of its own: the future of a request writes it and reads the response's head, the response's body reads
//!    the rest. Dropping either closes the connection.
//! 2. One write and one read a request where they suffice. A small body goes out with its head, and what came with a
//!    response's head is a slice of the same buffer.
//! 3. A response is taken literally or not at all: two framings, lengths that contradict each other, bare line feeds,
//!    folded lines and space before a colon are refused (RFC 9112).
//! 4. A response that overtakes its request is given at once; a task sends the rest of the request meanwhile.
//! 5. A connection is handed on only when the whole request has left, the whole response has been read, and nothing
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

/// How long an endpoint may leave the rest of a request untaken that it has answered, unless that is set.
pub(crate) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Interim responses before the final one at most.
const MAX_INTERIM: u8 = 32;

/// The endpoint broke a rule: its response cannot be trusted to end where it seems to.
fn malformed(violation: Violation) -> Error {
    Error::new(ErrorKind::Protocol, violation)
}

#[cfg(test)]
mod tests;
