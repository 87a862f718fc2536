//! `Max-Forwards`: how far `OPTIONS` and `TRACE` go (RFC 9110, section 7.6.2).

use harness::{Gateway, H2Client, Origin, RawClient, Response, Tally};

const ALLOW: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// The response over HTTP/1.1 and over HTTP/2.
async fn ask(gateway: &Gateway, method: &str, fields: &[(&str, &str)]) -> [Response; 2] {
    let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let request = format!("{method} /p HTTP/1.1\r\nHost: x\r\n{lines}\r\n");
    let over_http1 = RawClient::once(gateway.address(), request).await;
    let mut request = http::Request::builder().method(method).uri("http://x/p");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let over_http2 = H2Client::connect(gateway.address()).await.exchange(request.body("").unwrap()).await;
    [over_http1, over_http2.unwrap()]
}

#[tokio::test]
async fn options_and_trace_end_here_at_zero_and_go_on_with_one_less() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut tally = Tally::new();
    for (method, value, status, left) in [
        ("OPTIONS", "0", 204, None),
        ("OPTIONS", "00", 204, None),
        ("TRACE", "0", 405, None),
        ("OPTIONS", "1", 200, Some("0")),
        ("TRACE", "1", 200, Some("0")),
        ("OPTIONS", "70", 200, Some("69")),
        ("OPTIONS", "99999999999999999999999", 200, Some("18446744073709551614")),
        ("OPTIONS", "", 400, None),
        ("OPTIONS", "-1", 400, None),
        ("TRACE", "1, 1", 400, None),
        ("OPTIONS", "0x0", 400, None),
        ("GET", "0", 200, Some("0")),
        ("POST", "0", 200, Some("0")),
        ("DELETE", "many", 200, Some("many")),
    ] {
        let secrets = [("Max-Forwards", value), ("Authorization", "Bearer secret"), ("Cookie", "a=secret")];
        let responses = ask(&gateway, method, &secrets).await;
        let seen = origin.take_requests();
        let arrived: Vec<_> = seen.iter().map(|request| request.header("max-forwards")).collect();
        tally.equal(
            format!("what arrives of {method} {value}"),
            arrived,
            left.map_or(vec![], |left| vec![Some(left); 2]),
        );
        for response in responses {
            let answered = match status {
                204 => response.header("allow") == Some(ALLOW) && response.body.is_empty(),
                405 => response.header("allow") == Some(ALLOW) && response.is_problem(405),
                400 => response.is_problem(400),
                _ => true,
            };
            // Nothing of the request comes back.
            let silent = !response.text().contains("secret");
            tally.check(
                format!("{method} {value}"),
                response.status() == status && answered && silent,
                response,
            );
        }
    }
    let twice = [("Max-Forwards", "5"), ("Max-Forwards", "5")];
    for response in ask(&gateway, "OPTIONS", &twice).await {
        tally.check("OPTIONS 5 twice", response.is_problem(400) && origin.take_requests().is_empty(), response);
    }
    tally.finish(44);
}

#[tokio::test]
async fn who_may_not_come_is_told_so_before_the_gateway_answers_itself() {
    let origin = Origin::ok().await;
    let gateway = Gateway::with_routes(&format!(
        "- {{path: /p, upstream: \"{}\", deny_ips: [127.0.0.0/8]}}\n",
        origin.address()
    ));
    for method in ["OPTIONS", "TRACE"] {
        for response in ask(&gateway, method, &[("Max-Forwards", "0")]).await {
            assert!(response.is_problem(403), "{response:?}");
        }
    }
    assert_eq!(origin.accepted(), 0);
}

#[tokio::test]
async fn the_connection_goes_on_after_an_answer_of_the_gateways_own() {
    let origin = Origin::ok().await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    for (method, status) in [("OPTIONS", 204), ("TRACE", 405), ("OPTIONS", 204)] {
        let request =
            format!("{method} /p HTTP/1.1\r\nHost: x\r\nMax-Forwards: 0\r\nContent-Length: 3\r\n\r\nabc");
        assert_eq!(client.exchange(request).await.status(), status);
    }
    assert_eq!(client.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.status(), 200);
    assert_eq!(origin.only_request().target(), "/");
}
