//! Strict HTTP/1 framing.
//!
//! Most servers forgive what another one might read in another way: they join Content-Length with Transfer-Encoding,
//! skip bare LF, cut a target at `#`. The rules here forgive nothing, so that no two servers can disagree on where a
//! message ends. This module is pure: bytes in, a verdict out. [`http1`](crate::http1) reads the bytes from a socket.

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
pub(crate) mod tests;

pub(crate) use fields::{FieldSpan, is_allowed_name};
pub(crate) use follower::{Follower, Step};
pub(crate) use head::{BodyLength, Head, Rules, Upgrade, content_length, origin_request_line};
pub(crate) use target::is_valid as is_valid_target;
pub(crate) use violation::Violation;
