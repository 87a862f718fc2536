//! Real clients and real services, with the real binary between them.
//!
//! 1. `clients`: each client that can be had from packages sends the same requests; what arrived, and what it got, is
//!    compared with what this file's crate computes itself.
//! 2. `services`: what comes from a service through the gateway is compared with what it says directly.
//! 3. `status_page`: what a browser shows of a gateway.
//! 4. `observability`: what Prometheus and its parsers make of the gateway's metrics.
//! 5. `traces`: spans of the gateway and of two services, in a collector of another make.
//!
//! What needs many packages is ignored here and runs under `cargo xtask test --full`.
//! docs/reference/interoperability.md has the tables.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod clients;
mod observability;
mod pattern;
mod server;
mod services;
mod status_page;
mod traces;
