//! Services that every run meets.

use std::time::Duration;

use harness::peer::{self, PeerServer};
use tokio::process::Command;

use super::{Ends, hold, proxies};

fn node(requests: &str, idle: &str) -> Command {
    let mut command = Command::new(peer::program("node"));
    command.args([concat!(env!("CARGO_MANIFEST_DIR"), "/peers/service.mjs"), requests, idle]);
    command
}

/// A service without an end, for servers that stand before one.
pub(super) async fn inner() -> PeerServer {
    PeerServer::start(&mut node("0", "60000")).await
}

#[tokio::test]
async fn node_is_the_same_through_the_gateway() {
    let service = PeerServer::start(&mut node("7", "500")).await;
    hold(service.address(), Ends { requests: Some(7), idle: Some(Duration::from_millis(500)) }).await;
}

async fn python(server: &str) {
    let mut command = Command::new(peer::python());
    command.args([concat!(env!("CARGO_MANIFEST_DIR"), "/peers/python_service.py"), server, "7", "1"]);
    let service = PeerServer::start(&mut command).await;
    hold(service.address(), Ends { requests: Some(7), idle: Some(Duration::from_secs(1)) }).await;
}

#[tokio::test]
async fn uvicorn_is_the_same_through_the_gateway() {
    python("uvicorn").await;
}

#[tokio::test]
async fn pythons_http_server_is_the_same_through_the_gateway() {
    python("http.server").await;
}

#[tokio::test]
async fn nginx_is_the_same_through_the_gateway() {
    let inner = inner().await;
    let nginx = proxies::nginx(inner.address()).await;
    hold(nginx.address(), Ends { requests: Some(7), idle: Some(Duration::from_millis(500)) }).await;
}
