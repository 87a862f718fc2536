//! Requests that come back to the gateway: a loop ends after a few rounds, with 508 (RFC 8586).

use std::{
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use harness::{Gateway, H2Client, Origin, RawClient, eventually};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// Somebody in between, so that the gateway cannot know where its upstream leads.
struct Relay {
    address: SocketAddr,
    to: Arc<OnceLock<SocketAddr>>,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Relay {
    async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (to, accepted) = (Arc::new(OnceLock::<SocketAddr>::new()), Arc::new(AtomicUsize::new(0)));
        let (known, count) = (to.clone(), accepted.clone());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let Some(to) = known.get().copied() else { continue };
                connections.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(to).await {
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self { address, to, accepted, task }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn looping(protocol: &str) -> (Gateway, Relay) {
    let relay = Relay::start().await;
    let gateway = Gateway::with_routes(&format!(
        "- path_prefix: /\n  upstream: {{target: \"{}\", protocol: {protocol}}}\n  retries: 2\n",
        relay.address
    ));
    relay.to.set(gateway.address()).unwrap();
    (gateway, relay)
}

#[tokio::test]
async fn a_loop_ends_with_508() {
    for protocol in ["http1", "http2"] {
        let (gateway, relay) = looping(protocol).await;
        let files = gateway.open_files();
        for request in [
            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: cdn-loop\r\nCDN-Loop: other\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        ] {
            let response = RawClient::once(gateway.address(), request).await;
            // The id in it is that of the innermost round.
            let content_type = response.header("content-type");
            assert_eq!(
                (response.status(), content_type),
                (508, Some("application/problem+json")),
                "{protocol}"
            );
        }
        let request = http::Request::get("http://x/").body(vec![]).unwrap();
        let response = H2Client::connect(gateway.address()).await.exchange(request).await.unwrap();
        assert_eq!(response.status(), 508, "{protocol}");
        // Five requests, and each goes round a few times.
        let accepted = relay.accepted.load(Ordering::SeqCst);
        assert!(accepted <= 5 * 6, "{protocol}: {accepted} connections");
        let lines = gateway.access_log(5 * 6).await.len();
        assert_eq!(lines, 5 * 6, "{protocol}");
        let warnings = gateway.stderr().lines().filter(|line| line.contains("leads back")).count();
        assert_eq!(warnings, 1, "{protocol}: {}", gateway.stderr());
        eventually("all to be closed", || gateway.open_files() <= files + 12).await;
    }
}

#[tokio::test]
async fn gateways_in_a_row_are_no_loop() {
    let origin = Origin::ok().await;
    let mut gateways = vec![Gateway::to(origin.address())];
    for _ in 0..7 {
        let next = Gateway::to(gateways.last().unwrap().address());
        gateways.push(next);
    }
    let request = "GET / HTTP/1.1\r\nHost: x\r\nCDN-Loop: cloudflare; subreqs=1\r\nCDN-Loop: fastly\r\n\r\n";
    let response = RawClient::once(gateways.last().unwrap().address(), request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.header("cdn-loop"), None);
    let seen = origin.only_request();
    let ids = seen.head.fields.all("cdn-loop");
    assert_eq!(&ids[..2], ["cloudflare; subreqs=1", "fastly"], "{ids:?}");
    let mut own = ids[2..].to_vec();
    own.sort_unstable();
    own.dedup();
    assert_eq!((ids.len(), own.len()), (10, 8), "{ids:?}");
    assert!(own.iter().all(|id| id.starts_with("gatewright-")), "{ids:?}");
    assert_eq!((seen.header("via"), response.header("via")), (None, None));
}

#[tokio::test]
async fn a_request_may_pass_through_one_gateway_twice() {
    let origin = Origin::ok().await;
    let relay = Relay::start().await;
    let gateway = Gateway::with_routes(&format!(
        "- path_prefix: /outer\n  upstream: {}\n  rewrite: {{prefix: /inner}}\n- path_prefix: /inner\n  upstream: {}\n",
        relay.address,
        origin.address()
    ));
    relay.to.set(gateway.address()).unwrap();
    let response = RawClient::once(gateway.address(), "GET /outer/a HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(response.status(), 200);
    assert_eq!(origin.only_request().head.fields.all("cdn-loop").len(), 2);
}
