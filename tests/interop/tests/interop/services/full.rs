//! Services that need many packages: `cargo xtask test --full`.

use std::{path::Path, time::Duration};

use harness::{
    TempDir,
    peer::{self, PeerServer},
};
use tokio::process::Command;

use super::{Ends, ci, hold, proxies};
use crate::server::Server;

const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
const HALF: Duration = Duration::from_millis(500);

async fn built(command: &mut Command) {
    let output = harness::within("a build", command.output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
#[ignore = "needs Go: cargo xtask test --full"]
async fn gos_net_http_is_the_same_through_the_gateway() {
    let folder = TempDir::new();
    let program = folder.path().join("service");
    let mut build = Command::new(peer::program("go"));
    build.args(["build", "-o"]).arg(&program).arg(format!("{PEERS}/service.go"));
    built(build.env("GOCACHE", folder.path().join("cache")).env("GO111MODULE", "off")).await;
    let service = PeerServer::start(Command::new(&program).args(["7", "500"])).await;
    hold(service.address(), Ends { requests: Some(7), idle: Some(HALF) }).await;
}

#[tokio::test]
#[ignore = "needs a JDK and tomcat10-common: cargo xtask test --full"]
async fn tomcat_is_the_same_through_the_gateway() {
    let folder = TempDir::new();
    let jars = "/usr/share/tomcat10/lib/*:/usr/share/tomcat10/bin/tomcat-juli.jar";
    let mut build = Command::new(peer::program("javac"));
    build.args(["-cp", jars, "-d"]).arg(folder.path()).arg(format!("{PEERS}/TomcatService.java"));
    built(&mut build).await;
    let mut command = Command::new(peer::program("java"));
    command.arg("-cp").arg(format!("{}:{jars}", folder.path().display())).arg("TomcatService");
    let service = PeerServer::start(command.arg(folder.path()).args(["7", "500"])).await;
    hold(service.address(), Ends { requests: Some(7), idle: Some(HALF) }).await;
}

async fn gunicorn(worker: &[&str], ends: Ends) {
    let server = Server::start(1, |_: &Path, addresses| {
        let mut command = Command::new(peer::python());
        command.args(["-m", "gunicorn", "--log-level", "warning", "--keep-alive", "1", "--chdir", PEERS]);
        command
            .args(["--bind", &addresses[0].to_string(), "--no-control-socket"])
            .args(worker)
            .arg("python_service:wsgi");
        command
    })
    .await;
    hold(server.address(), ends).await;
}

#[tokio::test]
#[ignore = "one Python server more than CI needs: cargo xtask test --full"]
async fn gunicorn_with_threads_is_the_same_through_the_gateway() {
    let ends = Ends { requests: None, idle: Some(Duration::from_secs(1)) };
    gunicorn(&["--worker-class", "gthread", "--threads", "50"], ends).await;
}

#[tokio::test]
#[ignore = "one Python server more than CI needs: cargo xtask test --full"]
async fn gunicorn_that_keeps_no_connection_is_the_same_through_the_gateway() {
    gunicorn(&["--worker-class", "sync"], Ends { requests: Some(1), idle: None }).await;
}

#[tokio::test]
#[ignore = "needs apache2-bin: cargo xtask test --full"]
async fn apache_httpd_is_the_same_through_the_gateway() {
    let inner = ci::inner().await;
    let server = proxies::apache(inner.address()).await;
    hold(server.address(), Ends { requests: Some(7), idle: Some(HALF) }).await;
}

#[tokio::test]
#[ignore = "needs HAProxy: cargo xtask test --full"]
async fn haproxy_is_the_same_through_the_gateway() {
    let inner = ci::inner().await;
    let server = proxies::haproxy(inner.address()).await;
    let [kept, closed] = server.addresses() else { panic!("two addresses") };
    hold(*kept, Ends { requests: None, idle: Some(HALF) }).await;
    hold(*closed, Ends { requests: Some(1), idle: None }).await;
}

#[tokio::test]
#[ignore = "needs Caddy: cargo xtask test --full"]
async fn caddy_is_the_same_through_the_gateway() {
    let inner = ci::inner().await;
    let server = proxies::caddy(inner.address()).await;
    hold(server.address(), Ends { requests: None, idle: Some(HALF) }).await;
}

/// grpcio's server says GOAWAY to each connection once it is so old, with calls under way.
#[tokio::test]
#[ignore = "beside the calls of `wire`, a long run: cargo xtask test --full"]
async fn no_call_is_lost_when_grpcio_ends_its_connections() {
    let peer = format!("{PEERS}/grpc_service.py");
    let service = PeerServer::start(Command::new(peer::python()).args([&peer, "serve", "100"])).await;
    let gateway = harness::Gateway::with_routes(&format!(
        "- path_prefix: /\n  upstream: {{target: \"{}\", protocol: http2}}\n",
        service.address()
    ));
    let target = gateway.address().to_string();
    let output = peer::run(&peer::python(), &[&peer, "talk", &target, "250"]).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), r#"{"hash": 1000, "stream": 1000}"#, "{}", String::from_utf8_lossy(&output.stderr));
}
