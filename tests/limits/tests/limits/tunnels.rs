//! A WebSocket under hyper's server counts towards a limit on requests at once until it ends.

use std::net::SocketAddr;

use gatewright::{Body, ConcurrencyLimitLayer, Key, ProxyService, RouterService};
use harness::{Origin, RawClient, Step, eventually};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Serves a stack by hyper.
async fn serve(stack: RouterService<Incoming>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(stack.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades());
        }
    });
    address
}

#[tokio::test]
async fn a_websocket_under_hyper_is_under_way_until_it_ends() {
    let origin = Origin::start(|_| vec![Step::Head, Step::Send(SWITCH.into()), Step::Echo]).await;
    let limit = ConcurrencyLimitLayer::new(1).key(Key::everything());
    let chat = ServiceBuilder::new()
        .map_request(|request: http::Request<Incoming>| request.map(Body::new))
        .layer(limit.clone())
        .service(ProxyService::builder().target(origin.address().to_string()).build().unwrap());
    let address = serve(RouterService::builder().path("/chat", chat).build().unwrap()).await;

    let mut client = RawClient::connect(address).await;
    client.send(format!("{HANDSHAKE}hello")).await;
    assert!(client.head().await.unwrap().line.starts_with("HTTP/1.1 101"));
    assert_eq!(client.read_exactly(5).await.unwrap(), b"hello");
    assert_eq!(limit.under_way(), 1);
    let mut second = RawClient::connect(address).await;
    second.send(HANDSHAKE).await;
    assert_eq!(second.response().await.unwrap().status(), 429);
    drop(client);
    eventually("the tunnel has ended", || limit.under_way() == 0).await;
    let mut third = RawClient::connect(address).await;
    third.send(HANDSHAKE).await;
    assert!(third.head().await.unwrap().line.starts_with("HTTP/1.1 101"));
}
