//! Limits and lists of the YAML file: over real sockets against the real binary, with Debian's Redis, and in process
//! where that shows as much.
//!
//! With `GATEWRIGHT_SOAK=1` the runs last as long as the acceptance asks for, else they fit CI. What is admitted is
//! compared with the time that has passed and the demand is far above the limit, so that a slow machine changes nothing.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod addresses;
mod clients;
mod counts;
mod file;
mod load;
#[path = "../../../../crates/rate-limit/src/redis/tests/server.rs"]
#[allow(dead_code, reason = "the crate's own tests need more of it")]
mod redis;
mod shared;
mod tunnels;

use std::time::Duration;

/// Whether the long run is asked for.
fn soaking() -> bool {
    std::env::var_os("GATEWRIGHT_SOAK").is_some_and(|value| value != "0")
}

/// How long a run lasts.
fn lasting() -> Duration {
    Duration::from_secs(if soaking() { 10 } else { 3 })
}
