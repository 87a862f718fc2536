//! Ids: one for each request, in the response, in the log and upstream (W3C Trace Context).

use harness::{Gateway, H2Client, Origin, RawClient, Reply};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn builder(origin: &Origin, more: &str) -> Gateway {
    Gateway::builder(&format!("{more}routes:\n- path_prefix: /a\n  upstream: {}\n", origin.address())).start()
}

#[tokio::test]
async fn each_request_has_an_id_of_its_own_everywhere() {
    // What an origin says of the id is not what the client hears.
    let origin = Origin::answering(|_| Reply::text("ok").field("x-request-id", "of-the-origin")).await;
    let gateway = builder(&origin, "");
    let mut ids = Vec::new();
    for _ in 0..3 {
        let response = RawClient::once(gateway.address(), "GET /a HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(response.head.fields.all("x-request-id").len(), 1, "{response:?}");
        ids.push(response.header("x-request-id").unwrap().to_owned());
    }
    let mut upstream: Vec<_> =
        origin.requests().iter().map(|seen| seen.header("x-request-id").unwrap().to_owned()).collect();
    let lines = gateway.access_log(3).await;
    let mut logged: Vec<_> = lines.iter().map(|line| line["request_id"].as_str().unwrap().to_owned()).collect();
    // Workers write their lines as they come.
    for ids in [&mut ids, &mut upstream, &mut logged] {
        ids.sort_unstable();
    }
    assert_eq!((&upstream, &logged), (&ids, &ids));
    ids.dedup();
    assert_eq!(ids.len(), 3);
}

#[tokio::test]
async fn only_a_trusted_peer_brings_an_id() {
    let origin = Origin::ok().await;
    let request = "GET /a HTTP/1.1\r\nHost: x\r\nX-Request-Id: brought\r\n\r\n";
    let stranger = RawClient::once(builder(&origin, "").address(), request).await;
    assert_ne!(stranger.header("x-request-id"), Some("brought"));
    let trusting = builder(&origin, "trusted_proxies: [127.0.0.1]\n");
    let trusted = RawClient::once(trusting.address(), request).await;
    assert_eq!(trusted.header("x-request-id"), Some("brought"));
    let seen = origin.requests();
    assert_eq!(seen[0].header("x-request-id"), stranger.header("x-request-id"));
    assert_eq!(seen[1].header("x-request-id"), Some("brought"));
}

#[tokio::test]
async fn a_trace_goes_on_with_a_span_of_its_own() {
    let origin = Origin::ok().await;
    let gateway = builder(&origin, "");
    let with = format!("GET /a HTTP/1.1\r\nHost: x\r\nTraceparent: {PARENT}\r\nTracestate: a=1\r\n\r\n");
    for request in [with.as_str(), "GET /a HTTP/1.1\r\nHost: x\r\nTraceparent: junk\r\nTracestate: a=1\r\n\r\n"]
    {
        assert_eq!(RawClient::once(gateway.address(), request).await.status(), 200);
    }
    let seen = origin.requests();
    let parents: Vec<Vec<&str>> =
        seen.iter().map(|seen| seen.header("traceparent").unwrap().split('-').collect()).collect();
    assert_eq!(parents[0][1], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_ne!(parents[0][2], "00f067aa0ba902b7");
    assert_eq!(seen[0].header("tracestate"), Some("a=1"));
    // A parent that cannot be read starts a trace anew, and takes its state with it.
    assert_eq!((parents[1].len(), parents[1][1].len(), parents[1][2].len()), (4, 32, 16));
    assert_eq!(seen[1].header("tracestate"), None);
    let lines = gateway.access_log(2).await;
    for parent in parents {
        assert!(lines.iter().any(|line| line["trace_id"] == parent[1]), "{lines:?}");
    }
}

#[tokio::test]
async fn refusals_and_failures_have_an_id_as_well() {
    let origin = Origin::ok().await;
    let gateway = builder(&origin, "");
    let address = gateway.address();
    origin.stop().await;
    for (request, status) in [
        ("GET /none HTTP/1.1\r\nHost: x\r\n\r\n", 404),
        ("GET /a HTTP/1.1\r\nHost: x\r\n\r\n", 502),
        ("GET /a%2f HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        // These never become a request: the framing refuses them.
        ("GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        ("GET /a HTTP/1.1\r\n\r\n", 400),
        ("CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", 405),
    ] {
        let response = RawClient::once(address, request).await;
        assert!(response.is_problem(status), "{response:?}");
        assert!(response.header("x-request-id").is_some(), "{request:?}: {response:?}");
    }
    let request = http::Request::get("http://x/none").body("").unwrap();
    let response = H2Client::connect(address).await.exchange(request).await.unwrap();
    assert!(response.is_problem(404) && response.header("x-request-id").is_some(), "{response:?}");
    for line in gateway.access_log(7).await {
        assert!(line.contains_key("request_id"), "{line:?}");
    }
}
