//! What the wire tests share.
//!
//! 1. [`Origin`] and [`H2Origin`] record what reaches them, to the byte over HTTP/1.1, and answer as told, also badly
//!    ([`misbehaving`]).
//! 2. [`RawClient`] sends exact bytes, [`H2Client`] well-formed HTTP/2, [`RawH2Client`] any frame at all.
//! 3. [`Ca`] issues certificates, good and expired, and the TLS configurations that use them. [`IdentityProvider`]
//!    publishes keys and answers about tokens, or is down.
//! 4. [`Gateway`] is the real binary, built by cargo and started on port 0 from a YAML text.
//! 5. [`peer`] starts what this project did not write: nginx, curl, Python, Node.
//!
//! Whatever waits has a deadline of [`PATIENCE`], which only a hang reaches.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod binary;
mod ca;
mod gateway;
mod h2_client;
mod h2_frames;
mod h2_origin;
mod identity_provider;
mod message;
pub mod misbehaving;
mod namespace;
mod origin;
pub mod peer;
mod raw_client;
mod reader;
mod reply;
mod socket;
mod tally;
mod temp_dir;

use std::{future::Future, path::Path, time::Duration};

pub use ca::{Ca, Identity};
pub use gateway::{Gateway, GatewayBuilder};
pub use h2_client::H2Client;
pub use h2_frames::{Frame, Outcome, RawH2Client, flag, kind};
pub use h2_origin::H2Origin;
pub use identity_provider::{Condition, IdentityProvider};
pub use message::{Fields, Head, Request, Response};
pub use namespace::Namespace;
pub use origin::{Answer, Origin, Script, Step};
pub use raw_client::RawClient;
pub use reply::Reply;
pub use rustls::ClientConfig;
pub use socket::Socket;
pub use tally::Tally;
pub use temp_dir::TempDir;

/// The gateway's binary, which is built once a run: `GATEWRIGHT_BIN` when that is set.
pub fn gateway_binary() -> &'static Path {
    binary::path()
}

/// How long anything may take before a test calls it a hang.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The output of `future`, or a panic that names `what` after [`PATIENCE`].
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("{what} took longer than {PATIENCE:?}"),
    }
}

/// Asks `condition` until it holds; panics, naming `what`, after [`PATIENCE`].
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    within(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
