//! HTTP/1 connections (RFC 9112), built on the codec of [`gatewright_http1`], each with one watchdog.
//!
//! One task reads, calls the service and writes. A [`Connection`](connection::Connection) takes turns: it waits for a
//! head, then for the service, then for the frames of the response's body. Encoded bytes are written before the task
//! waits for anything, so a request whose response is ready at once costs one read and one write.
//!
//! [`connection`] lists the invariants.

mod body;
mod buffers;
mod connection;
mod driver;
mod exchange_slot;
#[cfg(fuzzing)]
pub mod fuzzing;
mod interim;
mod response;

mod tunnel;
mod turns;
mod upload;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use driver::serve;
