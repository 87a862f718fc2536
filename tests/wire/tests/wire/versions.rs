//! HTTP/1.0, 1.1 and 2 on either side: what one cannot say, the gateway says in its place.

use harness::{Gateway, H2Client, H2Origin, Origin, RawClient, Reply, Request, Step};

#[tokio::test]
async fn an_http10_client_gets_no_chunks() {
    let origin = Origin::answering(|_| Reply::new(200).chunk("in ").chunk("pieces")).await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    let response = client.exchange("GET / HTTP/1.0\r\nHost: x\r\n\r\n").await;
    assert_eq!((response.status(), response.text().as_str()), (200, "in pieces"));
    assert_eq!(response.header("transfer-encoding"), None);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn an_http10_client_keeps_its_connection_when_it_asks_to() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    for _ in 0..2 {
        let response = client.exchange("GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n").await;
        assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
    }
}

#[tokio::test]
async fn an_http10_origin_is_read_to_its_end() {
    let origin = Origin::start(|_| {
        vec![Step::Head, Step::Body, Step::Send(b"HTTP/1.0 200 OK\r\nX-Old: 1\r\n\r\nuntil the end".into())]
    })
    .await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    for _ in 0..2 {
        let response = client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(response.head.line.starts_with("HTTP/1.1 200") && response.complete, "{response:?}");
        assert_eq!((response.text().as_str(), response.header("x-old")), ("until the end", Some("1")));
    }
}

#[tokio::test]
async fn bodies_pass_between_versions_in_every_framing() {
    let reply = |request: &Request| Reply::new(200).chunk(request.body.clone()).chunk("!");
    let (http1, http2) = (Origin::answering(reply).await, H2Origin::answering(reply).await);
    for (address, protocol) in [(http1.address(), "http1"), (http2.address(), "http2")] {
        let gateway = Gateway::with_routes(&format!(
            "- path_prefix: /\n  upstream: {{target: \"{address}\", protocol: {protocol}}}\n"
        ));
        for request in [
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
        ] {
            let response = RawClient::once(gateway.address(), request).await;
            assert_eq!(
                (response.text().as_str(), response.complete),
                ("hello!", true),
                "{protocol}: {request:?}"
            );
        }
        let mut client = H2Client::connect(gateway.address()).await;
        for length in [None, Some("5")] {
            let mut request = http::Request::post("http://x/");
            if let Some(length) = length {
                request = request.header("content-length", length);
            }
            let response = client.exchange(request.body("hello").unwrap()).await.unwrap();
            assert_eq!(
                (response.text().as_str(), response.complete),
                ("hello!", true),
                "{protocol}: {length:?}"
            );
        }
        let large = vec![b'x'; 3 << 20];
        let response = client.exchange(http::Request::post("http://x/").body(large).unwrap()).await.unwrap();
        assert_eq!((response.body.len(), response.complete), ((3 << 20) + 1, true), "{protocol}");
    }
}

#[tokio::test]
async fn many_requests_share_one_http2_connection_both_ways() {
    let origin = H2Origin::answering(|request| Reply::text(request.target().to_owned())).await;
    let gateway = Gateway::builder(&format!(
        "workers: 1\nroutes:\n- path_prefix: /\n  upstream: {{target: \"{}\", protocol: http2}}\n",
        origin.address()
    ))
    .start();
    let mut client = H2Client::connect(gateway.address()).await;
    let streams: Vec<_> = (0..50)
        .map(|number| {
            let request = http::Request::get(format!("http://x/{number}")).body(()).unwrap();
            client.sender().send_request(request, true).unwrap().0
        })
        .collect();
    for (number, response) in streams.into_iter().enumerate() {
        let mut body = harness::within("a response", response).await.unwrap().into_body();
        let text = body.data().await.unwrap().unwrap();
        assert_eq!(text, format!("/{number}"));
    }
    assert!(origin.accepted() <= 2, "{} connections for 50 streams", origin.accepted());
}

#[tokio::test]
async fn several_targets_take_turns() {
    let (one, two) = (Origin::ok().await, Origin::ok().await);
    let gateway = Gateway::builder(&format!(
        "workers: 1\nroutes:\n- path_prefix: /\n  upstream: {{targets: [\"{}\", \"{}\"]}}\n",
        one.address(),
        two.address()
    ))
    .start();
    for _ in 0..10 {
        assert_eq!(RawClient::once(gateway.address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.status(), 200);
    }
    assert_eq!((one.requests().len(), two.requests().len()), (5, 5));
}

#[tokio::test]
async fn a_connection_that_was_idle_for_long_serves_on() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut over_http1 = RawClient::connect(gateway.address()).await;
    let mut over_http2 = H2Client::connect(gateway.address()).await;
    for round in 0..2 {
        // Long enough for the gateway to give up what it holds for a connection in use, on both sides.
        if round > 0 {
            tokio::time::sleep(std::time::Duration::from_secs(7)).await;
        }
        let response = over_http1.exchange("POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").await;
        assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
        let request = http::Request::get("http://x/2").body("").unwrap();
        assert_eq!(over_http2.exchange(request).await.unwrap().status(), 200);
    }
    assert!(origin.requests().iter().all(|request| request.complete));
}
