//! What connections of HTTP/1 and HTTP/2 have in common: their worker, their one timer, their close.

mod closing;
mod shared;
mod watchdog;

pub(crate) use closing::{Linger, close, draining_for, encode_last};
pub(crate) use shared::{Accepted, Shared};
pub(crate) use watchdog::Watchdog;
