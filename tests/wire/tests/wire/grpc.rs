//! gRPC from grpcio to grpcio: the same with the gateway between as without.

use harness::{
    Ca, Gateway,
    peer::{self, PeerServer},
};
use serde_json::Value;
use tokio::process::Command;

const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/grpc_peer.py");

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
async fn a_grpc_service_that_is_down_is_unavailable() {
    let server = PeerServer::start(Command::new(peer::python()).args([PEER, "serve"])).await;
    let address = server.address();
    server.stop().await;
    let gateway = Gateway::with_routes(&format!(
        "- path_prefix: /test.Peer\n  upstream: {{target: \"{address}\", protocol: http2}}\n"
    ));
    // grpcio makes UNAVAILABLE of a 502 (gRPC's http-grpc-status-mapping.md).
    let script = "import grpc, sys\n\
        channel = grpc.insecure_channel(sys.argv[1], [('grpc.enable_http_proxy', 0)])\n\
        try: channel.unary_unary('/test.Peer/Unary')(b'')\n\
        except grpc.RpcError as error: print(error.code())\n";
    let output = peer::run(&peer::python(), &["-c", script, &gateway.address().to_string()]).await;
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "StatusCode.UNAVAILABLE");
}
