//! HTTP/1 connections (RFC 9112), by the codec of [`gatewright_http1`], with one watchdog beside each.
//!
//! One task reads, calls the service and writes. A [`Connection`](connection::Connection) takes turns: it waits for a
//! head, then for the service, then for the frames of the response's body. What has been encoded is written before the
//! task waits for anything, so that a request whose response is ready at once costs one read and one write.
//!
//! What is read and what is written is told in [`connection`].

mod body;
mod buffers;
mod connection;
mod driver;
#[cfg(fuzzing)]
pub mod fuzzing;
mod interim;
mod response;
mod room;
mod tunnel;
mod turns;
mod upload;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use driver::serve;
