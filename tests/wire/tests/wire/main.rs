//! Tests over real sockets against the real binary.
//!
//! A module is a threat or a promise; docs/reference/hazards.md says which test holds which row. With
//! `GATEWRIGHT_SOAK=1` the sizes and counts are those of the acceptance table, else they fit CI.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod access_log;
mod admin;
mod asterisk;
mod cancels;
mod cookbook;
mod curl;
mod descriptors;
mod downgrade;
mod drain;
mod early_answers;
mod empty_bodies;
mod faults_logged;
mod field_removal;
mod floods;
mod framing;
mod grpc;
mod hosts;
mod idle_connections;
mod ids;
mod interim;
mod killed_origins;
mod listeners;
mod loops;
mod max_forwards;
mod misbehaving_origins;
mod paths;
mod proxy_protocol;
mod response_heads;
mod seed;
mod size_limits;
mod slow_clients;
mod small_frames;
mod streaming;
mod tls;
mod unprocessed;
mod upgrades;
mod versions;
mod waits;
mod websocket;

/// Whether the long run is asked for.
fn soaking() -> bool {
    std::env::var_os("GATEWRIGHT_SOAK").is_some_and(|value| value != "0")
}
