//! requests, httpx and aiohttp.

use harness::peer;
use tokio::process::Command;

use super::{HTTP1, HTTP2, Own, Scene};

fn client(library: &str) -> Command {
    let mut command = Command::new(peer::python());
    command.args([concat!(env!("CARGO_MANIFEST_DIR"), "/peers/python_client.py"), library]);
    command
}

#[tokio::test]
async fn requests_gets_every_answer() {
    Scene::new().await.hold(&HTTP1, Own::default(), || client("requests")).await;
}

#[tokio::test]
async fn httpx_gets_every_answer() {
    let scene = Scene::new().await;
    scene.hold(&HTTP1, Own::default(), || client("httpx")).await;
    scene.hold(&HTTP2, Own::default(), || client("httpx")).await;
}

#[tokio::test]
async fn aiohttp_gets_every_answer() {
    Scene::new().await.hold(&HTTP1, Own::default(), || client("aiohttp")).await;
}
