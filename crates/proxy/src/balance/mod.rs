//! Which endpoint a request goes to.
//!
//! This folder holds the ways to choose, and knows endpoints by their position in the set alone. What a choice leads to
//! is the upstream's: it hands out a [`Pick`](crate::upstream::Pick), which tells the endpoint how the attempt ended.

mod outcome;
mod turns;

pub(crate) use outcome::Outcome;
pub(crate) use turns::{RoundRobin, Turns};
