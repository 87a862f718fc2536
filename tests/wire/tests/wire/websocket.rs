//! WebSocket conversations of Python's `websockets` and npm's `ws`: the same with the gateway between as without.

use std::process::Output;

use harness::{
    Ca, Gateway, H2Client,
    peer::{self, PeerServer},
};
use serde_json::Value;
use tokio::process::Command;

const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/websocket.py");
const NODE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/websocket.mjs");

fn command(script: &str) -> Command {
    if script == PYTHON {
        let mut command = Command::new(peer::python());
        command.arg(script);
        return command;
    }
    let mut command = Command::new(peer::program("node"));
    command.arg(script).env("NODE_PATH", peer::node_modules());
    command
}

async fn talk(script: &str, url: &str, ca: Option<&str>) -> Vec<Value> {
    let mut command = command(script);
    command.args(["talk", url]).args(ca).kill_on_drop(true);
    let Output { stdout, stderr, .. } = harness::within("a conversation", command.output()).await.unwrap();
    let errors = String::from_utf8_lossy(&stderr);
    serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

async fn conversation(client: &str, server: &str) {
    let server = PeerServer::start(command(server).arg("serve")).await;
    let ca = Ca::new();
    let identity = ca.server(&["localhost"]);
    let routes = format!("routes:\n- path_prefix: /chat\n  upstream: {}\n", server.address());
    let gateway = Gateway::builder(&routes)
        .listeners(&format!(
            "- address: 127.0.0.1:0\n- address: 127.0.0.1:0\n  tls: {{cert: {}, key: {}}}\n",
            identity.cert.display(),
            identity.key.display()
        ))
        .start();
    let [plain, tls] = gateway.addresses() else { panic!("two listeners") };

    let without = talk(client, &format!("ws://{}/chat", server.address()), None).await;
    assert!(without.len() >= 14, "{without:#?}");
    assert_eq!(talk(client, &format!("ws://{plain}/chat"), None).await, without);
    let secure = format!("wss://localhost:{}/chat", tls.port());
    assert_eq!(talk(client, &secure, ca.pem().to_str()).await, without);
}

#[tokio::test]
async fn python_talks_to_python() {
    conversation(PYTHON, PYTHON).await;
}

#[tokio::test]
async fn node_talks_to_node() {
    conversation(NODE, NODE).await;
}

#[tokio::test]
async fn node_talks_to_python() {
    conversation(NODE, PYTHON).await;
}

#[tokio::test]
async fn http2_has_no_upgrade_and_gets_a_plain_answer() {
    let server = PeerServer::start(command(PYTHON).arg("serve")).await;
    let gateway = Gateway::to(server.address());
    let request = http::Request::get("http://x/chat").header("sec-websocket-version", "13").body("").unwrap();
    let response = H2Client::connect(gateway.address()).await.exchange(request).await.unwrap();
    assert_eq!(response.status(), 426, "{response:?}");
}
