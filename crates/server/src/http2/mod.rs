//! HTTP/2 connections: hyper, with a guard against floods around its socket and one watchdog beside it.

mod body;
mod budget;
mod checks;
mod driver;
mod frames;
mod io;
mod service;
mod state;

pub(crate) use driver::serve;
