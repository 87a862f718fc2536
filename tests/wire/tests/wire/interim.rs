//! 1xx responses: 103 is relayed, 100 comes from who reads the body (RFC 9110, sections 10.1.1 and 15.2).

use std::time::Duration;

use harness::{Gateway, H2Client, Origin, RawClient, Step};

const EARLY: &[u8] =
    b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n";
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test]
async fn early_hints_reach_an_http1_client_before_the_response() {
    let origin = Origin::start(|_| {
        vec![
            Step::Head,
            Step::Send(EARLY.into()),
            Step::Send(EARLY.into()),
            Step::Pause(Duration::from_millis(500)),
            Step::Send(OK.into()),
            Step::Again,
        ]
    })
    .await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    // On one connection twice: what was relayed leaves no trace in the next response.
    for _ in 0..2 {
        client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        for _ in 0..2 {
            let hint = client.head().await.unwrap();
            assert!(hint.line.starts_with("HTTP/1.1 103"), "{hint:?}");
            assert_eq!(hint.fields.get("link"), Some("</a.css>; rel=preload"));
            assert_eq!(hint.fields.get("x-hop"), None);
        }
        let response = client.response().await.unwrap();
        assert_eq!((response.status(), response.text().as_str(), response.interim.len()), (200, "ok", 0));
    }
}

#[tokio::test]
async fn clients_that_cannot_read_early_hints_get_the_response_alone() {
    let origin =
        Origin::start(|_| vec![Step::Head, Step::Send(EARLY.into()), Step::Send(OK.into()), Step::Again]).await;
    let gateway = Gateway::to(origin.address());
    // HTTP/1.0 has no 1xx (RFC 9110, section 15.2).
    let mut client = RawClient::connect(gateway.address()).await;
    client.send("GET / HTTP/1.0\r\nHost: x\r\n\r\n").await;
    let head = client.head().await.unwrap();
    assert!(head.line.contains(" 200"), "{head:?}");
    let request = http::Request::get("http://x/").body("").unwrap();
    let response = H2Client::connect(gateway.address()).await.exchange(request).await.unwrap();
    assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
}

#[tokio::test]
async fn an_expectation_is_met_before_the_body_is_sent() {
    let origin = Origin::start(|_| {
        let go_on = Step::Send(b"HTTP/1.1 100 Continue\r\n\r\n".into());
        vec![Step::Head, go_on, Step::Body, Step::Send(OK.into()), Step::Again]
    })
    .await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    for expectation in ["100-continue", "100-Continue"] {
        origin.take_requests();
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: {expectation}\r\n\r\n");
        client.send(head).await;
        let go_on = client.head().await.unwrap();
        assert!(go_on.line.starts_with("HTTP/1.1 100"), "{go_on:?}");
        client.send("hello").await;
        let response = client.response().await.unwrap();
        assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
        assert_eq!(origin.only_request().body, b"hello");
    }
}

#[tokio::test]
async fn a_refusal_of_the_gateway_comes_instead_of_the_100() {
    let origin = Origin::ok().await;
    let gateway = Gateway::with_routes(&format!("- {{path_prefix: /a, upstream: \"{}\"}}\n", origin.address()));
    let mut client = RawClient::connect(gateway.address()).await;
    client.send("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    let response = client.response().await.unwrap();
    assert!(response.is_problem(404) && response.interim.is_empty(), "{response:?}");
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn a_refusal_of_the_origin_ends_the_exchange_before_the_body() {
    let origin = Origin::start(|_| {
        let refusal =
            b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
        vec![Step::Head, Step::Send(refusal), Step::Collect]
    })
    .await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n").await;
    // The gateway answers the expectation itself, when it first wants a byte of the body: a 100 may come before.
    let response = client.response().await.unwrap();
    assert_eq!(response.status(), 413, "{response:?}");
    assert!(origin.collected().is_empty());
}
