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

mod chunked;
mod connection;
mod encode;
mod exchange;
#[cfg(fuzzing)]
pub mod fuzzing;
mod incoming;
mod lines;
mod overtaken;
mod parse;
mod queue;
mod templates;
mod upgraded;
mod upload;

pub(crate) use connection::Connection;
pub(crate) use exchange::Exchange;
pub(crate) use incoming::Incoming;

/// A response's head at most.
const MAX_HEAD: usize = 64 << 10;

/// A trailer section at most.
const MAX_TRAILERS: usize = 16 << 10;

/// Fields of a head or a trailer section at most.
const MAX_FIELDS: usize = 100;

/// Interim responses before the final one at most.
const MAX_INTERIM: u8 = 32;

/// What an endpoint sent is no HTTP/1, or cannot be trusted to end where it seems to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(&'static str);

impl From<Malformed> for gatewright_core::Error {
    fn from(Malformed(why): Malformed) -> Self {
        Self::new(gatewright_core::ErrorKind::Protocol, why)
    }
}

#[cfg(test)]
mod tests;
