//! What node brings (`fetch`, `http`, `http2`), and npm's undici.

use harness::peer;
use tokio::process::Command;

use super::{HTTP1, HTTP2, Own, Scene, TLS_HTTP2};

fn client(library: &str) -> Command {
    let mut command = Command::new(peer::program("node"));
    command.args([concat!(env!("CARGO_MANIFEST_DIR"), "/peers/node_client.mjs"), library]);
    command.env("NODE_PATH", peer::node_modules());
    command
}

/// `fetch` forbids the fields (Fetch standard, forbidden request-headers), undici's `request` wants a 101 for them.
const NO_UPGRADE: Own = Own { without: &["upgrade", "upgrade-post"] };

#[tokio::test]
async fn fetch_gets_every_answer() {
    Scene::new().await.hold(&HTTP1, NO_UPGRADE, || client("fetch")).await;
}

#[tokio::test]
async fn undici_gets_every_answer() {
    let scene = Scene::new().await;
    scene.hold(&HTTP1, NO_UPGRADE, || client("undici")).await;
    scene.hold(&TLS_HTTP2, NO_UPGRADE, || client("undici")).await;
}

#[tokio::test]
async fn nodes_http_gets_every_answer() {
    Scene::new().await.hold(&HTTP1, Own::default(), || client("http")).await;
}

#[tokio::test]
async fn nodes_http2_gets_every_answer() {
    Scene::new().await.hold(&HTTP2, Own::default(), || client("http2")).await;
}
