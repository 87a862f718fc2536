//! Upgrades: a tunnel opens for WebSocket alone, and only by a 101 (RFC 9110, section 7.8).

use std::time::Duration;

use harness::{Gateway, Origin, RawClient, Script, Step, Tally, eventually};

const HANDSHAKE: &str = "GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

const WAIT: Duration = Duration::from_millis(300);

fn gateway(origin: &Origin) -> Gateway {
    let routes = format!("routes:\n- path_prefix: /\n  upstream: {}\n", origin.address());
    Gateway::builder(&format!("defaults: {{timeout: 2s, idle_timeout: 20s}}\n{routes}")).start()
}

#[tokio::test]
async fn bytes_sent_before_the_101_wait_for_it() {
    let origin =
        Origin::start(|_| vec![Step::Head, Step::Listen(WAIT), Step::Send(SWITCH.into()), Step::Echo]).await;
    let gateway = gateway(&origin);
    let mut client = RawClient::connect(gateway.address()).await;
    client.send(format!("{HANDSHAKE}early")).await;
    let head = client.head().await.unwrap();
    assert!(head.line.starts_with("HTTP/1.1 101"), "{head:?}");
    assert_eq!(head.fields.get("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(head.fields.get("upgrade"), Some("websocket"));
    assert!(origin.early().is_empty(), "{:?}", String::from_utf8_lossy(&origin.early()));
    client.send(" late").await;
    assert_eq!(client.read_exactly(10).await.unwrap(), b"early late");
}

#[tokio::test]
async fn an_origin_that_does_not_switch_gets_no_byte_of_a_tunnel() {
    let answers: [(&str, Script, u16); 4] = [
        ("200", vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".into())], 200),
        ("426", vec![Step::Send(b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n".into())], 426),
        ("nothing", vec![Step::Hang], 504),
        ("its end", vec![], 502),
    ];
    let mut tally = Tally::new();
    for (name, answer, status) in answers {
        let script = [vec![Step::Head, Step::Listen(WAIT)], answer, vec![Step::Collect]].concat();
        let script = if name == "its end" { vec![Step::Head, Step::Listen(WAIT)] } else { script };
        let origin = Origin::start(move |_| script.clone()).await;
        let gateway = gateway(&origin);
        let mut client = RawClient::connect(gateway.address()).await;
        client.send(format!("{HANDSHAKE}\u{1}tunnelled")).await;
        let response = client.response().await.unwrap();
        tally.equal(name, response.status(), status);
        client.send("\u{2}and more").await;
        // What followed the refused handshake is read as HTTP, and is none.
        let (rest, closed) = client.read_to_end(harness::PATIENCE).await;
        tally.check(
            name,
            closed && !rest.starts_with(b"HTTP/1.1 2"),
            String::from_utf8_lossy(&rest).into_owned(),
        );
        let tunnelled = [origin.early(), origin.collected()].concat();
        tally.check(name, tunnelled.is_empty(), String::from_utf8_lossy(&tunnelled).into_owned());
    }
    tally.finish(12);
}

#[tokio::test]
async fn what_follows_a_refused_handshake_is_held_to_the_rules_of_requests() {
    let refusal = b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n";
    let script = || vec![Step::Head, Step::Listen(WAIT), Step::Send(refusal.into()), Step::Again];
    let origin = Origin::start(move |_| script()).await;
    let gateway = gateway(&origin);
    let good = "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";
    let ambiguous = "POST /smuggling HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    for (next, status) in [(good, 426), (ambiguous, 400)] {
        let mut client = RawClient::connect(gateway.address()).await;
        client.send(format!("{HANDSHAKE}{next}")).await;
        assert_eq!(client.response().await.unwrap().status(), 426);
        assert_eq!(client.response().await.unwrap().status(), status, "{next:?}");
    }
    let seen: Vec<_> = origin.requests().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(seen, ["/chat", "/next", "/chat"]);
}

#[tokio::test]
async fn any_other_upgrade_is_not_forwarded_and_its_101_is_502() {
    let origin = Origin::start(|_| vec![Step::Head, Step::Body, Step::Send(SWITCH.into()), Step::Echo]).await;
    let gateway = gateway(&origin);
    let mut tally = Tally::new();
    for (case, request) in [
        (
            "h2c",
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n",
        ),
        ("another protocol", "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n"),
        (
            "websocket beside h2c",
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
        ),
        (
            "two Upgrade lines",
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
        ),
        (
            "POST",
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "a body",
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello",
        ),
        (
            "a chunked body",
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("no Connection: upgrade", "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\r\n"),
        ("HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
        ("no upgrade at all", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    ] {
        origin.take_requests();
        let mut client = RawClient::connect(gateway.address()).await;
        client.send(request).await;
        let response = client.response().await.unwrap();
        let seen = origin.take_requests();
        let fields = seen.first().map(|request| request.head.fields.clone()).unwrap_or_default();
        let asked = [fields.all("upgrade"), fields.all("http2-settings")].concat();
        tally.check(case, asked.is_empty(), &fields);
        let refused =
            response.is_problem(502) && seen.len() == 1 || response.is_problem(400) && seen.is_empty();
        tally.check(case, refused, &response);
        eventually("the end of the socket that switched", || origin.open() == 0).await;
    }
    tally.equal("tunnelled", origin.collected(), Vec::new());
    tally.finish(20);
}

#[tokio::test]
async fn a_101_to_another_protocol_is_502() {
    let mut tally = Tally::new();
    for fields in ["Connection: Upgrade\r\nUpgrade: foo\r\n", "Connection: Upgrade\r\n", ""] {
        let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n").into_bytes();
        let origin = Origin::start(move |_| vec![Step::Head, Step::Send(answer.clone()), Step::Echo]).await;
        let gateway = gateway(&origin);
        let mut client = RawClient::connect(gateway.address()).await;
        client.send(HANDSHAKE).await;
        let response = client.response().await.unwrap();
        tally.check(format!("{fields:?}"), response.is_problem(502), &response);
        eventually("the end of the socket that switched", || origin.open() == 0).await;
    }
    tally.finish(3);
}

#[tokio::test]
async fn a_tunnel_carries_bytes_as_they_are_and_ends_each_way_alone() {
    let origin =
        Origin::start(|_| vec![Step::Head, Step::Send(SWITCH.into()), Step::Echo, Step::Send(b"bye".into())])
            .await;
    let gateway = gateway(&origin);
    let mut client = RawClient::connect(gateway.address()).await;
    client.send(HANDSHAKE).await;
    client.head().await.unwrap();
    let bytes: Vec<u8> = (0..1_000_000_u32).map(|number| (number * 7 % 251) as u8).collect();
    for chunk in bytes.chunks(100_000) {
        client.send(chunk).await;
        assert!(client.read_exactly(chunk.len()).await.unwrap() == chunk);
    }
    // Our end is over, the origin's last words still come.
    client.finish().await;
    let (rest, closed) = client.read_to_end(harness::PATIENCE).await;
    assert_eq!((rest.as_slice(), closed), (&b"bye"[..], true));
    assert!(origin.collected() == bytes);
    eventually("the tunnel's end", || origin.open() == 0).await;
}

#[tokio::test]
async fn a_tunnel_that_one_side_resets_ends_on_the_other() {
    let origin = Origin::start(|number| {
        let end = if number == 0 { Step::Echo } else { Step::Pause(WAIT) };
        vec![Step::Head, Step::Send(SWITCH.into()), end, Step::Reset]
    })
    .await;
    let gateway = gateway(&origin);
    let mut client = RawClient::connect(gateway.address()).await;
    client.send(HANDSHAKE).await;
    client.head().await.unwrap();
    client.reset();
    eventually("the tunnel's end at the origin", || origin.open() == 0).await;

    let mut client = RawClient::connect(gateway.address()).await;
    client.send(HANDSHAKE).await;
    client.head().await.unwrap();
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_tunnel_outlives_the_timeout_and_ends_when_idle() {
    let origin = Origin::start(|_| vec![Step::Head, Step::Send(SWITCH.into()), Step::Echo]).await;
    let gateway = Gateway::builder(&format!(
        "defaults: {{timeout: 500ms, idle_timeout: 2s}}\nroutes:\n- path_prefix: /\n  upstream: {}\n",
        origin.address()
    ))
    .start();
    let mut client = RawClient::connect(gateway.address()).await;
    client.send(HANDSHAKE).await;
    client.head().await.unwrap();
    for _ in 0..6 {
        tokio::time::sleep(Duration::from_millis(250)).await;
        client.send("x").await;
        assert_eq!(client.read_exactly(1).await.unwrap(), b"x");
    }
    assert!(client.is_closed().await);
    eventually("the tunnel's end at the origin", || origin.open() == 0).await;
}
