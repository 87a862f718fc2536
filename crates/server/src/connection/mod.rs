//! The parts that HTTP/1 and HTTP/2 connections share: the worker's state, the one timer, the close.

mod closing;
mod shared;
mod watchdog;

pub(crate) use closing::{Linger, close, draining_for, encode_last};
pub(crate) use shared::{Accepted, Shared};
pub(crate) use watchdog::Watchdog;
