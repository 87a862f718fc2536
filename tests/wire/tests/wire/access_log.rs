//! The access log: one JSON object a line, whatever a client writes, and no secret in it.

use harness::{Gateway, H2Client, Origin, RawClient, Reply};

#[tokio::test]
async fn whatever_a_client_writes_each_line_is_one_object() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut requests: Vec<Vec<u8>> = Vec::new();
    for path in [
        "/a\"b",
        "/a\\b",
        "/\",\"status\":200,\"x\":\"",
        "/%22%2c%22x%22%3a%22",
        "/%0a%7b%22forged%22%3atrue%7d",
        "/%0d%0aforged",
        "/%00",
        "/%1b[31mred",
        "/%e2%80%a8",
        "/%ff%fe",
        "/\u{e9}\u{1f600}",
        "/{}",
        "/</script>",
        "/?q=\"\n",
        "/a?\"}{\"",
        "/$(id)",
        "/%25%32%32",
    ] {
        requests.push(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").into());
    }
    for field in [
        "User-Agent: \"}\\",
        "Referer: \"\\u0000",
        "X-Request-Id: a\"b",
        "X-Request-Id: {\"forged\":1}",
        "Traceparent: 00-\"-\"-01",
        "X-Forwarded-For: \"}, {\"",
        "X-Forwarded-Host: \"",
        "Cookie: \"\\",
    ] {
        requests.push(format!("GET / HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\n").into());
    }
    requests.push(b"GET / HTTP/1.1\r\nHost: x\r\nX-Bytes: \x80\xff\xfe\r\n\r\n".to_vec());
    requests.push(b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n".to_vec());
    requests.push(b"GET / HTTP/1.1\r\nHost: \"x\"\r\n\r\n".to_vec());
    requests.push(b"\"}{\" / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec());
    requests.push(b"BREW\"{} / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec());
    for request in &requests {
        let mut client = RawClient::connect(gateway.address()).await;
        client.send(request).await;
        let _ = client.response().await;
    }
    let last = "GET /the-last HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!(RawClient::once(gateway.address(), last).await.status(), 200);
    harness::eventually("the last line", || gateway.access_log_text().contains("/the-last")).await;

    let text = gateway.access_log_text();
    assert!(text.ends_with('\n'));
    assert!(text.bytes().all(|byte| byte == b'\n' || byte >= 0x20), "{text:?}");
    let lines = gateway.access_log(1).await;
    assert!(lines.len() <= requests.len() + 1, "{} lines of {} requests", lines.len(), requests.len() + 1);
    for line in lines {
        assert!(!line.contains_key("forged") && !line.contains_key("x"), "{line:?}");
        assert!(line.contains_key("status") && line.contains_key("ts"), "{line:?}");
    }
}

#[tokio::test]
async fn a_line_says_what_happened() {
    let origin = Origin::answering(|request| Reply::new(201).chunk(request.body.clone())).await;
    let gateway = Gateway::with_routes(&format!(
        "- {{name: orders, path_prefix: /v1/orders, upstream: \"{}\"}}\n",
        origin.address()
    ));
    let request = "POST /v1/orders/7?q HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 5\r\n\r\nhello";
    let response = RawClient::once(gateway.address(), request).await;
    assert_eq!(response.status(), 201);
    let request = http::Request::get("http://shop.test/none").body("").unwrap();
    let missing = H2Client::connect(gateway.address()).await.exchange(request).await.unwrap();
    assert!(missing.is_problem(404), "{missing:?}");

    let lines = gateway.access_log(2).await;
    let of = |path: &str| lines.iter().find(|line| line["path"] == path).unwrap();
    let line = of("/v1/orders/7");
    assert_eq!(line["request_id"].as_str(), response.header("x-request-id"));
    let expected = [
        ("client", "127.0.0.1"),
        ("method", "POST"),
        ("host", "shop.test"),
        ("path", "/v1/orders/7"),
        ("route", "orders"),
        ("endpoint", &origin.address().to_string()),
    ];
    for (name, value) in expected {
        assert_eq!(line[name], value, "{line:?}");
    }
    for (name, value) in [("status", 201), ("bytes_in", 5), ("bytes_out", 5)] {
        assert_eq!(line[name], value, "{line:?}");
    }
    assert!(line["duration_ms"].is_number() && line["upstream_ms"].is_number(), "{line:?}");
    assert!(line["trace_id"].as_str().is_some_and(|id| id.len() == 32), "{line:?}");
    assert!(!line.contains_key("principal") && !line.contains_key("rejection"), "{line:?}");

    let line = of("/none");
    assert_eq!(line["status"], 404);
    assert!(!line.contains_key("upstream") && !line.contains_key("endpoint"), "{line:?}");
}

#[tokio::test]
async fn secrets_stay_out_of_every_log() {
    let origin = Origin::ok().await;
    let gateway = Gateway::builder(&format!("routes:\n- path_prefix: /\n  upstream: {}\n", origin.address()))
        .env("RUST_LOG", "trace")
        .start();
    let down = Gateway::builder("routes:\n- path_prefix: /\n  upstream: 127.0.0.1:1\n")
        .env("RUST_LOG", "trace")
        .start();
    for gateway in [&gateway, &down] {
        for request in [
            "GET /?token=s3cr3t&api_key=s3cr3t HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cr3t\r\n\
             Proxy-Authorization: Basic s3cr3t\r\nCookie: session=s3cr3t\r\nX-Api-Key: s3cr3t\r\n\r\n",
            "GET http://s3cr3t:s3cr3t@x/ HTTP/1.1\r\nHost: x\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: x\r\nAuthorization: s3cr3t\r\nContent-Length: 6\r\n\r\ns3cr3t",
            "GET / HTTP/1.1\r\nAuthorization: s3cr3t\r\nBad Header: s3cr3t\r\n\r\n",
            "GET /?token=s3cr3t HTTP/1.1\r\nHost: x\r\nContent-Length: s3cr3t\r\n\r\n",
            "GET http://x/?token=s3cr3t HTTP/1.1\r\nHost: y\r\n\r\n",
            "GET /#token=s3cr3t HTTP/1.1\r\nHost: x\r\n\r\n",
        ] {
            RawClient::once(gateway.address(), request).await;
        }
        gateway.access_log(7).await;
        assert!(!gateway.access_log_text().contains("s3cr3t"), "{}", gateway.access_log_text());
        assert!(!gateway.stderr().contains("s3cr3t"), "{}", gateway.stderr());
    }
}

#[tokio::test]
async fn a_client_that_goes_away_is_logged_too() {
    let origin = Origin::start(|_| vec![harness::Step::Head, harness::Step::Hang]).await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    client.send("GET /gone HTTP/1.1\r\nHost: x\r\n\r\n").await;
    origin.has_requests(1).await;
    client.reset();
    assert_eq!(gateway.access_log(1).await[0]["path"], "/gone");
}
