//! Strict HTTP/1 framing.
//!
//! hyper forgives what another server might read in another way: it joins Content-Length with Transfer-Encoding, skips
//! bare LF, cuts a target at `#`. The rules here forgive nothing, so that no two servers can disagree on where a
//! message ends. This module is pure: bytes in, a verdict out. [`http1`](crate::http1) puts it around a socket.

mod chunked;
mod fields;
mod follower;
mod head;
pub(crate) mod host;
mod scan;
mod target;
mod trailers;
mod violation;

#[cfg(test)]
mod tests;

pub(crate) use fields::is_allowed_name;
pub(crate) use follower::{Follower, Rest};
pub(crate) use head::{Rules, Upgrade, content_length};
pub(crate) use target::is_valid as is_valid_target;
pub(crate) use violation::Violation;
