//! The harness against itself: what records, records the truth.

use std::time::Duration;

use harness::{Ca, H2Client, H2Origin, Origin, Outcome, RawClient, RawH2Client, Reply, Step};

#[tokio::test]
async fn an_origin_records_the_exact_bytes_and_trailers() {
    let origin = Origin::ok().await;
    let request =
        "POST /a?b HTTP/1.1\r\nhOst:x\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n0\r\nT: 1\r\n\r\n";
    let response = RawClient::once(origin.address(), request).await;
    assert_eq!((response.status(), response.text().as_str(), response.complete), (200, "ok", true));
    let seen = origin.only_request();
    assert_eq!([seen.head.bytes, seen.raw_body].concat(), request.as_bytes());
    assert_eq!((seen.body.as_slice(), seen.trailers.get("t"), seen.complete), (&b"abc"[..], Some("1"), true));
}

#[tokio::test]
async fn a_body_cut_short_shows() {
    let origin = Origin::start(|_| {
        vec![Step::Head, Step::Body, Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc".into())]
    })
    .await;
    let response = RawClient::once(origin.address(), "GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!((response.text().as_str(), response.complete), ("abc", false));
}

#[tokio::test]
async fn a_reset_is_no_clean_end() {
    let origin = Origin::start(|_| {
        let head = b"HTTP/1.1 200 OK\r\n\r\nabc".to_vec();
        vec![Step::Head, Step::Body, Step::Send(head), Step::Pause(Duration::from_millis(50)), Step::Reset]
    })
    .await;
    let response = RawClient::once(origin.address(), "GET / HTTP/1.1\r\n\r\n").await;
    assert_eq!((response.text().as_str(), response.complete), ("abc", false));
}

#[tokio::test]
async fn http2_goes_over_cleartext_and_tls_with_trailers() {
    let ca = Ca::new();
    let reply = |_: &_| Reply::text("hello").trailer("t", "1");
    let plain = H2Origin::answering(reply).await;
    let tls = H2Origin::answering_tls(ca.server(&["localhost"]).server_config(&["h2"]), reply).await;
    let over_tls =
        H2Client::connect_tls(tls.address(), ca.trusting_client(&["h2", "http/1.1"], None), "localhost").await;
    for (mut client, origin) in [(H2Client::connect(plain.address()).await, plain), (over_tls.unwrap(), tls)] {
        let request = http::Request::post("http://localhost/x?y").header("a", "b").body("body").unwrap();
        let response = client.exchange(request).await.unwrap();
        assert_eq!((response.status(), response.text().as_str()), (200, "hello"));
        assert_eq!((response.trailers.get("t"), response.complete), (Some("1"), true));
        let seen = origin.only_request();
        assert_eq!((seen.method(), seen.target(), seen.header("a")), ("POST", "/x?y", Some("b")));
        assert_eq!((seen.header(":authority"), seen.body.as_slice()), (Some("localhost"), &b"body"[..]));
    }
}

#[tokio::test]
async fn raw_frames_are_answered_or_reset() {
    let origin = H2Origin::answering(|_| Reply::new(418)).await;
    let head: [(&[u8], &[u8]); 4] =
        [(b":method", b"GET"), (b":path", b"/"), (b":scheme", b"http"), (b":authority", b"x")];
    let mut client = RawH2Client::connect(origin.address()).await;
    client.headers(1, &head, true).await.unwrap();
    assert_eq!(client.outcome(1).await, Outcome::Status(418));
    let mut client = RawH2Client::connect(origin.address()).await;
    client.headers(1, &[&head[..], &[(b"connection", b"close")]].concat(), true).await.unwrap();
    assert_eq!(client.outcome(1).await, Outcome::Reset(1));
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let ca = Ca::new();
    let origin =
        Origin::start_tls(ca.expired_server(&["localhost"]).server_config(&[]), |_| vec![Step::Hang]).await;
    let refused = RawClient::connect_tls(origin.address(), ca.trusting_client(&[], None), "localhost").await;
    assert!(refused.unwrap_err().to_string().contains("expired"));
}
