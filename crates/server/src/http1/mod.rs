//! HTTP/1 connections: hyper, with strict framing around its socket and one watchdog beside it.

mod driver;
mod interim;
mod io;
mod service;
mod state;
mod tunnel;
mod watch;

pub(crate) use driver::serve;
