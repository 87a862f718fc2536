//! No file descriptors left: the accept loop waits and lives.

use std::time::Duration;

use harness::{Gateway, Origin, RawClient};
use tokio::{net::TcpStream, time::timeout};

#[tokio::test]
async fn a_thousand_connections_over_256_descriptors_leave_it_well() {
    let origin = Origin::ok().await;
    let mut gateway =
        Gateway::builder(&format!("routes:\n- path_prefix: /\n  upstream: {}\n", origin.address()))
            .open_files(256)
            .start();
    let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(RawClient::once(gateway.address(), request).await.status(), 200);

    let mut connections = Vec::new();
    for _ in 0..1000 {
        // The kernel takes as many as its backlog holds, the rest wait.
        match timeout(Duration::from_millis(20), TcpStream::connect(gateway.address())).await {
            Ok(connection) => connections.extend(connection),
            Err(_) => continue,
        }
    }
    assert!(connections.len() > 256, "{} connections", connections.len());
    harness::eventually("the descriptors' end", || gateway.open_files() >= 250).await;
    let cpu = gateway.cpu_time();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(gateway.is_alive(), "{}", gateway.stderr());
    let spent = gateway.cpu_time() - cpu;
    assert!(spent < Duration::from_millis(500), "it spins while it has none left: {spent:?} in a second");

    drop(connections);
    let mut client = RawClient::connect(gateway.address()).await;
    client.send(request).await;
    let response = client.response_within(Duration::from_secs(5)).await;
    assert_eq!(response.expect("an answer within 5 s").unwrap().status(), 200);
    assert!(gateway.stderr().lines().count() < 100, "it fills its log:\n{}", gateway.stderr());
}
