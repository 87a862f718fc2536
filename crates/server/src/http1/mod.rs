//! HTTP/1 connections (RFC 9112), on the strict framing of [`framing`](crate::framing), with one watchdog beside each.
//!
//! One task reads, calls the service and writes. A [`Connection`](connection::Connection) takes turns: it waits for a
//! head, then for the service, then for the frames of the response's body. What has been encoded is written before the
//! task waits for anything, so that a request whose response is ready at once costs one read and one write.
//!
//! A head is looked at once: framing notes where its parts stand, and the request is made of slices of the bytes that
//! were read. What is the same as in the head before is not looked at even once.

mod body;
mod buffers;
mod connection;
mod date;
mod driver;
mod encode;
mod familiar;
mod interim;
mod names;
mod outbox;
mod request;
mod room;
mod tunnel;
mod upload;
mod watch;

#[cfg(test)]
mod tests;

pub(crate) use driver::serve;
