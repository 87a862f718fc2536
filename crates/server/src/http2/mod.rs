//! HTTP/2 connections: h2 over a socket that is guarded against floods, one task for each stream, and one watchdog.

mod aborted;
mod body;

mod budget;
mod checks;
mod date;
mod driver;
mod frames;
mod io;
mod keep_alive;
mod pipe;
mod protocol;
mod request;
mod response;
mod start;
mod state;
mod streams;
mod tracked;

#[cfg(test)]
mod tests;

pub(crate) use driver::serve;
