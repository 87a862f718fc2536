//! SIGTERM: what is under way ends well, nothing new begins, and the process leaves in time.

use std::time::Duration;

use harness::{Gateway, H2Client, Origin, RawClient, Reply, Step, eventually};
use tokio::net::TcpStream;

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

fn gateway(origin: &Origin, drain: &str) -> Gateway {
    let routes = format!("routes:\n- path_prefix: /\n  upstream: {}\n", origin.address());
    Gateway::builder(&format!("timeouts: {{drain: {drain}}}\n{routes}")).start()
}

async fn refuses_connections(gateway: &Gateway) {
    let address = gateway.address();
    harness::within("the listener's end", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_open_websocket_goes_on_till_it_ends_and_then_the_process_does() {
    let origin = Origin::start(|_| vec![Step::Head, Step::Send(SWITCH.into()), Step::Echo]).await;
    let mut gateway = gateway(&origin, "20s");
    let mut client = RawClient::connect(gateway.address()).await;
    client.send(HANDSHAKE).await;
    client.head().await.unwrap();
    gateway.signal("TERM");
    refuses_connections(&gateway).await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        client.send("still here").await;
        assert_eq!(client.read_exactly(10).await.unwrap(), b"still here");
    }
    assert!(gateway.is_alive());
    client.finish().await;
    assert!(client.is_closed().await);
    assert_eq!(gateway.exit().await.code(), Some(0), "{}", gateway.stderr());
}

#[tokio::test]
async fn a_websocket_that_does_not_end_is_closed_at_the_deadline() {
    let origin = Origin::start(|_| vec![Step::Head, Step::Send(SWITCH.into()), Step::Echo]).await;
    let mut gateway = gateway(&origin, "500ms");
    let mut client = RawClient::connect(gateway.address()).await;
    client.send(HANDSHAKE).await;
    client.head().await.unwrap();
    gateway.signal("TERM");
    assert!(client.is_closed().await);
    gateway.exit().await;
}

#[tokio::test]
async fn what_is_cut_at_the_deadline_is_not_said_to_be_its_clients_doing() {
    let begins = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n".into();
    let origin = Origin::start(move |number| match number % 2 {
        0 => vec![Step::Head, Step::Hang],
        _ => vec![Step::Head, Step::Send(Vec::clone(&begins)), Step::Hang],
    });
    let origin = origin.await;
    let mut gateway = gateway(&origin, "300ms");
    let mut waits = RawClient::connect(gateway.address()).await;
    waits.send("GET /1/waits HTTP/1.1\r\nHost: x\r\n\r\n").await;
    eventually("the first at the origin", || origin.requests().len() == 1).await;
    let mut reads = RawClient::connect(gateway.address()).await;
    reads.send("GET /1/reads HTTP/1.1\r\nHost: x\r\n\r\n").await;
    reads.head().await.unwrap();
    let mut over_http2 = H2Client::connect(gateway.address()).await;
    let get = |path: &str| http::Request::get(format!("http://x/2{path}")).body(()).unwrap();
    let (_waits, _) = over_http2.sender().send_request(get("/waits"), true).unwrap();
    eventually("the third at the origin", || origin.requests().len() == 3).await;
    let (read, _) = over_http2.sender().send_request(get("/reads"), true).unwrap();
    let _body = harness::within("the head", read).await.unwrap();
    let post = http::Request::post("http://x/2/sends").body(()).unwrap();
    let (_sends, mut upload) = over_http2.sender().send_request(post, false).unwrap();
    upload.send_data("some".into(), false).unwrap();
    eventually("the upload at the origin", || origin.requests().len() == 5).await;
    gateway.signal("TERM");
    gateway.exit().await;
    let mut lines: Vec<_> = gateway.access_log(5).await;
    lines.sort_by_key(|line| line["path"].to_string());
    let told: Vec<_> =
        lines.iter().map(|line| (line["path"].as_str().unwrap(), line["status"].as_u64().unwrap())).collect();
    assert_eq!(
        told,
        [("/1/reads", 200), ("/1/waits", 503), ("/2/reads", 200), ("/2/sends", 503), ("/2/waits", 503)]
    );
    assert!(lines.iter().all(|line| line["rejection"] == "server:cut"), "{lines:?}");
    assert!(gateway.stderr().contains("3 connections were cut before they had ended"), "{}", gateway.stderr());
}

#[tokio::test]
async fn requests_under_way_are_answered_and_idle_connections_closed() {
    // Answers when the test says so, by the second half of the body.
    let origin = Origin::answering(|request| Reply::text(request.body.clone())).await;
    let mut gateway = gateway(&origin, "20s");
    let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut idle = RawClient::connect(gateway.address()).await;
    assert_eq!(idle.exchange(request).await.status(), 200);
    let mut idle_http2 = H2Client::connect(gateway.address()).await;
    let get = http::Request::get("http://x/").body("").unwrap();
    assert_eq!(idle_http2.exchange(get).await.unwrap().status(), 200);

    let mut over_http1 = RawClient::connect(gateway.address()).await;
    over_http1.send("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfirst").await;
    let mut over_http2 = H2Client::connect(gateway.address()).await;
    let post = http::Request::post("http://x/2").body(()).unwrap();
    let (response, mut body) = over_http2.sender().send_request(post, false).unwrap();
    body.send_data("first".into(), false).unwrap();
    eventually("both at the origin", || origin.requests().len() == 4).await;

    gateway.signal("TERM");
    refuses_connections(&gateway).await;
    assert!(idle.is_closed().await);
    idle_http2.closed().await;

    over_http1.send(" half").await;
    let answer = over_http1.response().await.unwrap();
    assert_eq!((answer.status(), answer.text().as_str()), (200, "first half"));
    body.send_data(" half".into(), true).unwrap();
    let answer = harness::within("the answer", response).await.unwrap();
    assert_eq!(answer.status(), 200);
    let mut text = Vec::new();
    let mut answer = answer.into_body();
    while let Some(chunk) = answer.data().await {
        text.extend(chunk.unwrap());
    }
    assert_eq!(text, b"first half");
    assert!(over_http1.is_closed().await);
    assert_eq!(gateway.exit().await.code(), Some(0), "{}", gateway.stderr());
}

#[tokio::test]
async fn an_idle_gateway_ends_at_once() {
    let origin = Origin::ok().await;
    let mut gateway = gateway(&origin, "20s");
    gateway.signal("TERM");
    assert_eq!(gateway.exit().await.code(), Some(0));
}
