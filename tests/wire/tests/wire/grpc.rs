//! gRPC from grpcio to grpcio: the same with the gateway between as without.

use harness::{
    Ca, Gateway, TempDir,
    peer::{self, PeerServer},
};
use serde_json::Value;
use tokio::process::Command;

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/grpc_peer.py");

const KEY: &str = "gw_example";
const KEY_HASH: &str = "blake3:c3705cb2e72039496d123cd59342274e79e201d0ed8fb8b6b22a3b3205144938";

async fn talk(target: &str, ca: Option<&str>) -> Vec<Value> {
    let arguments: Vec<&str> = [PEER, "talk", target].into_iter().chain(ca).collect();
    let output = peer::run(&peer::python(), &arguments).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}

#[tokio::test]
async fn every_kind_of_call_goes_as_without_the_gateway() {
    let server = PeerServer::start(Command::new(peer::python()).args([PEER, "serve"])).await;
    let ca = Ca::new();
    let identity = ca.server(&["localhost"]);
    let gateway = Gateway::builder(&format!(
        "routes:\n- path_prefix: /test.Peer\n  upstream: {{target: \"{}\", protocol: http2}}\n",
        server.address()
    ))
    .listeners(&format!(
        "- address: 127.0.0.1:0\n- address: 127.0.0.1:0\n  tls: {{cert: {}, key: {}}}\n",
        identity.cert.display(),
        identity.key.display()
    ))
    .start();
    let [plain, tls] = gateway.addresses() else { panic!("two listeners") };

    let without = talk(&server.address().to_string(), None).await;
    assert_eq!(without.len(), 30, "{without:#?}");
    assert_eq!(talk(&plain.to_string(), None).await, without);
    assert_eq!(talk(&tls.to_string(), ca.pem().to_str()).await, without);
}

#[tokio::test]
async fn a_refusal_is_a_grpc_status() {
    let server = PeerServer::start(Command::new(peer::python()).args([PEER, "serve"])).await;
    let address = server.address();
    let gone = PeerServer::start(Command::new(peer::python()).args([PEER, "serve"])).await;
    let dead = gone.address();
    gone.stop().await;
    let folder = TempDir::new();
    let keys_file = folder.path().join("keys.yaml");
    std::fs::write(&keys_file, format!("- {{name: acme, owner: acme, hash: {KEY_HASH}}}\n")).unwrap();
    let gateway = Gateway::builder(&format!(
        "auth:
  partner: {{api_key: {{keys_file: {}}}}}
routes:
- {{path: /test.Peer/Unary, upstream: {{target: \"{address}\", protocol: http2}}, auth: partner}}
- {{path: /test.Peer/Status, upstream: {{target: \"{address}\", protocol: http2}}, auth: partner, scopes: [read]}}
- {{path: /test.Peer/Bidi, upstream: {{target: \"{address}\", protocol: http2}}, auth: none, limit: {{rate: 1/hour, key: client_ip}}}}
- {{path: /test.Peer/Ended, upstream: {{target: \"{address}\", protocol: http2}}, auth: none, allow_ips: [10.0.0.0/8]}}
- {{path: /test.Peer/Hang, upstream: {{target: \"{address}\", protocol: http2}}, timeout: 300ms, auth: none}}
- {{path: /test.Peer/ServerStream, upstream: {{target: \"{dead}\", protocol: http2}}, auth: none}}
",
        keys_file.display()
    ))
    .start();

    let output = peer::run(&peer::python(), &[PEER, "refused", &gateway.address().to_string(), KEY]).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    let said: Vec<[String; 4]> =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
    let expected = [
        ["no key", "UNAUTHENTICATED", "Valid credentials are required.", "www-authenticate"],
        ["a wrong key", "UNAUTHENTICATED", "Valid credentials are required.", "www-authenticate"],
        ["a key", "OK", "", ""],
        ["no scope", "PERMISSION_DENIED", "The caller may not do this.", "www-authenticate"],
        ["the first of a stream", "OK", "", ""],
        [
            "over its limit",
            "RESOURCE_EXHAUSTED",
            "Too many requests. Slow down, and try again later.",
            "retry-after",
        ],
        ["another address", "PERMISSION_DENIED", "Forbidden", ""],
        ["too slow", "DEADLINE_EXCEEDED", "The service did not answer in time.", ""],
        ["nobody there", "UNAVAILABLE", "The service is not available.", ""],
        ["no route", "UNIMPLEMENTED", "No route takes this request.", ""],
    ];
    assert_eq!(said, expected.map(|said| said.map(str::to_owned)));

    // The log shows what the statuses would have been.
    let log = gateway.access_log(expected.len()).await;
    // Several workers write it: its lines have no order.
    let mut statuses: Vec<_> = log.iter().filter_map(|line| line["status"].as_u64()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 401, 401, 403, 403, 404, 429, 502, 504]);
    assert!(log.iter().all(|line| line["status"] == 200 || line.contains_key("rejection")), "{log:#?}");
}
