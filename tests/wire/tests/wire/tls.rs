//! TLS on both sides: versions, ALPN, SNI, and who is trusted.

use std::net::SocketAddr;

use harness::{
    Ca, Gateway, H2Client, H2Origin, Identity, Origin, RawClient, Reply, Request, Response, Step, Tally,
};

const GET: &str = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

fn listening_with(tls: &str, upstream: SocketAddr) -> Gateway {
    Gateway::builder(&format!("routes:\n- path_prefix: /\n  upstream: {upstream}\n"))
        .listeners(&format!("- address: 127.0.0.1:0\n  tls: {{{tls}}}\n"))
        .start()
}

fn cert(identity: &Identity) -> String {
    format!("cert: {}, key: {}", identity.cert.display(), identity.key.display())
}

#[tokio::test]
async fn alpn_chooses_the_protocol() {
    let origin = Origin::ok().await;
    let ca = Ca::new();
    let gateway = listening_with(&cert(&ca.server(&["localhost"])), origin.address());
    let mut tally = Tally::new();
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1", "h2"], Some(b"h2")),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let client =
            RawClient::connect_tls(gateway.address(), ca.trusting_client(offered, None), "localhost").await;
        let socket = client.unwrap().into_socket();
        tally.equal(format!("{offered:?}"), socket.alpn(), chosen);
    }
    let none_in_common =
        RawClient::connect_tls(gateway.address(), ca.trusting_client(&["spdy/1"], None), "localhost").await;
    tally.check("none in common", none_in_common.is_err(), "it went on");
    tally.finish(5);

    for offered in [&["http/1.1"][..], &[]] {
        let client =
            RawClient::connect_tls(gateway.address(), ca.trusting_client(offered, None), "localhost").await;
        assert_eq!(client.unwrap().exchange(GET).await.status(), 200);
    }
    let client = H2Client::connect_tls(gateway.address(), ca.trusting_client(&["h2"], None), "localhost").await;
    let request = http::Request::get("https://localhost/").body("").unwrap();
    assert_eq!(client.unwrap().exchange(request).await.unwrap().status(), 200);
    let protos: Vec<_> = origin
        .requests()
        .iter()
        .map(|request| request.header("x-forwarded-proto").map(str::to_owned))
        .collect();
    assert_eq!(protos, vec![Some("https".to_owned()); 3]);
}

#[tokio::test]
async fn the_name_asked_for_chooses_the_certificate() {
    let origin = Origin::ok().await;
    let (a, b) = (Ca::new(), Ca::new());
    let (one, two) = (a.server(&["one.test"]), b.server(&["*.two.test"]));
    let gateway = listening_with(&format!("certs: [{{{}}}, {{{}}}]", cert(&one), cert(&two)), origin.address());
    let mut tally = Tally::new();
    for (name, trusts_a, trusts_b) in [
        ("one.test", true, false),
        ("x.two.test", false, true),
        ("two.test", false, false),
        ("x.y.two.test", false, false),
    ] {
        for (ca, trusts) in [(&a, trusts_a), (&b, trusts_b)] {
            let connected =
                RawClient::connect_tls(gateway.address(), ca.trusting_client(&[], None), name).await;
            tally.equal(name, connected.is_ok(), trusts);
        }
    }
    tally.finish(8);
}

/// The cases of the Gateway API's `HTTPRouteHTTPSListenerDetectMisdirectedRequests`, each listener's name in a certificate of
/// its own: 421 where the connection's certificate is not that of the host.
#[tokio::test]
async fn a_host_that_belongs_to_another_certificate_is_421() {
    let origin = Origin::ok().await;
    let ca = Ca::new();
    let certificates = [
        ca.server(&["example.org", "unknown-example.org"]),
        ca.server(&["second-example.org"]),
        ca.server(&["*.wildcard.org"]),
        ca.server(&["fourth-example.wildcard.org"]),
    ];
    let listed: Vec<_> = certificates.iter().map(|identity| format!("{{{}}}", cert(identity))).collect();
    let gateway = listening_with(&format!("certs: [{}]", listed.join(", ")), origin.address());
    let mut tally = Tally::new();
    for (name, host, status) in [
        ("example.org", "example.org", 200),
        ("example.org", "second-example.org", 421),
        ("example.org", "unknown-example.org", 200),
        ("example.org", "nobodys-example.org", 200),
        ("second-example.org", "second-example.org", 200),
        ("second-example.org", "example.org", 421),
        ("second-example.org", "nobodys-example.org", 421),
        ("third-example.wildcard.org", "third-example.wildcard.org", 200),
        ("third-example.wildcard.org", "fith-example.wildcard.org", 200),
        ("third-example.wildcard.org", "fourth-example.wildcard.org", 421),
        ("third-example.wildcard.org", "second-example.org", 421),
        ("third-example.wildcard.org", "nobodys-example.org", 421),
        ("fourth-example.wildcard.org", "fourth-example.wildcard.org", 200),
        ("fourth-example.wildcard.org", "fith-example.wildcard.org", 421),
        ("unknown-example.org", "example.org", 200),
        ("unknown-example.org", "unknown-example.org", 200),
        ("unknown-example.org", "127.0.0.1", 200),
    ] {
        let config = ca.trusting_client(&["http/1.1"], None);
        let mut client = RawClient::connect_tls(gateway.address(), config, name).await.unwrap();
        let response = client.exchange(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        tally.equal(format!("{host} for {name}, HTTP/1.1"), response.status(), status);
        let config = ca.trusting_client(&["h2"], None);
        let mut client = H2Client::connect_tls(gateway.address(), config, name).await.unwrap();
        let request = http::Request::get(format!("https://{host}/")).body("").unwrap();
        let response = client.exchange(request).await.unwrap();
        tally.equal(format!("{host} for {name}, HTTP/2"), response.status(), status);
    }
    tally.finish(34);
}

#[tokio::test]
async fn a_client_certificate_is_asked_for_and_checked() {
    let origin = Origin::ok().await;
    let (ca, other) = (Ca::new(), Ca::new());
    let server = cert(&ca.server(&["localhost"]));
    let (good, expired, foreign) = (ca.client("device"), ca.expired_client("device"), other.client("device"));
    let mut tally = Tally::new();
    for (auth, without) in [("required", false), ("optional", true)] {
        let tls = format!("{server}, client_ca: {}, client_auth: {auth}", ca.pem().display());
        let gateway = listening_with(&tls, origin.address());
        for (name, identity, fine) in [
            ("good", Some(&good), true),
            ("none", None, without),
            ("expired", Some(&expired), false),
            ("foreign", Some(&foreign), false),
        ] {
            let config = ca.trusting_client(&[], identity);
            let answered = match RawClient::connect_tls(gateway.address(), config, "localhost").await {
                Ok(mut client) => {
                    client.send(GET).await;
                    // With TLS 1.3 the refusal comes after the client's handshake is done.
                    client.response().await.is_ok_and(|response| response.status() == 200)
                }
                Err(_) => false,
            };
            tally.equal(format!("{auth}, {name}"), answered, fine);
        }
    }
    tally.finish(8);
}

#[tokio::test]
async fn plain_http_where_tls_is_spoken_gets_nothing_through() {
    let origin = Origin::ok().await;
    let ca = Ca::new();
    let gateway = listening_with(&cert(&ca.server(&["localhost"])), origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    client.send(GET).await;
    let (said, closed) = client.read_to_end(harness::PATIENCE).await;
    assert!(closed && !said.starts_with(b"HTTP/1.1 2"));
    assert_eq!(origin.accepted(), 0);
}

fn upstream_with(tls: &str, protocol: &str, origin: SocketAddr) -> Gateway {
    Gateway::with_routes(&format!(
        "- path_prefix: /\n  upstream: {{target: \"{origin}\", protocol: {protocol}, tls: {{{tls}}}}}\n"
    ))
}

async fn get(gateway: &Gateway) -> Response {
    RawClient::once(gateway.address(), GET).await
}

#[tokio::test]
async fn an_upstream_over_tls_speaks_what_alpn_chooses() {
    let ca = Ca::new();
    let identity = ca.server(&["orders.internal"]);
    let reply = |request: &Request| Reply::text(request.head.line.clone());
    let decent = Origin::decent(reply);
    let http1 = Origin::start_tls(identity.server_config(&["http/1.1"]), decent).await;
    let unnamed = Origin::start_tls(identity.server_config(&[]), Origin::decent(reply)).await;
    let http2 = H2Origin::answering_tls(identity.server_config(&["h2"]), reply).await;
    let trust = format!("ca: {}, server_name: orders.internal", ca.pem().display());
    for (protocol, address, line) in [
        ("auto", http1.address(), "GET / HTTP/1.1"),
        ("auto", unnamed.address(), "GET / HTTP/1.1"),
        ("auto", http2.address(), "GET / HTTP/2"),
        ("http1", http1.address(), "GET / HTTP/1.1"),
        ("http2", http2.address(), "GET / HTTP/2"),
    ] {
        let response = get(&upstream_with(&trust, protocol, address)).await;
        assert_eq!((response.status(), response.text().as_str()), (200, line), "{protocol}");
    }
    let response = get(&upstream_with(&trust, "http2", http1.address())).await;
    assert!(response.is_problem(502), "{response:?}");
}

#[tokio::test]
async fn an_upstream_that_cannot_be_trusted_is_502() {
    let (ca, other) = (Ca::new(), Ca::new());
    let mut tally = Tally::new();
    for (case, identity) in [
        ("expired", ca.expired_server(&["orders.internal"])),
        ("another name", ca.server(&["payments.internal"])),
        ("another authority", other.server(&["orders.internal"])),
    ] {
        let origin =
            Origin::start_tls(identity.server_config(&[]), Origin::decent(|_| Reply::text("ok"))).await;
        let trust = format!("ca: {}, server_name: orders.internal", ca.pem().display());
        let response = get(&upstream_with(&trust, "auto", origin.address())).await;
        tally.check(case, response.is_problem(502), &response);
        tally.equal(case, origin.requests().len(), 0);
    }
    // Nor one that speaks no TLS at all, nor one by the system's authorities alone.
    let plain =
        Origin::start(|_| vec![Step::Send(b"HTTP/1.1 400 Bad Request\r\n\r\n".into()), Step::Hang]).await;
    let trust = format!("ca: {}", ca.pem().display());
    tally.check("plain", get(&upstream_with(&trust, "auto", plain.address())).await.is_problem(502), "");
    tally.equal("plain", plain.requests().len(), 0);
    tally.finish(8);
}
