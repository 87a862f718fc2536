//! Who calls, over real sockets and TLS: refusals touch no service, credentials reach none, and the log tells why.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod api_keys;
mod basic;
mod embedded;
mod gateway;
mod grpc;
mod identity_provider;
mod introspection;
mod layers;
mod makers;
mod mission;
mod mtls;
mod tokens;
