//! Origins that break the rules: the client gets a plain failure, and the next request is clean.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use harness::{
    Gateway, H2Client, H2Origin, Origin, RawClient, Reply, Response, Script, Step, Tally, eventually,
    misbehaving::{self, Expect, Misbehaviour},
};

const SHORT: &str = "defaults: {timeout: 2s, idle_timeout: 2s, connect_timeout: 2s}\n";

/// An origin that misbehaves until it is told not to.
async fn origin(script: Script) -> (Origin, Arc<AtomicBool>) {
    let good = Arc::new(AtomicBool::new(false));
    let told = good.clone();
    let decent = Origin::decent(|request| Reply::text(format!("good {}", request.target())));
    let origin =
        Origin::start(move |number| if told.load(Ordering::SeqCst) { decent(number) } else { script.clone() })
            .await;
    (origin, good)
}

fn gateway(origin: &Origin) -> Gateway {
    let routes = format!("{SHORT}routes:\n- path_prefix: /\n  upstream: {}\n", origin.address());
    Gateway::builder(&routes).start()
}

fn is_as_expected(expect: Expect, response: &Response) -> bool {
    match expect {
        Expect::Status(status) => response.is_problem(status),
        Expect::Failed => response.is_problem(502) || response.is_problem(504),
        Expect::Clean(status, body) => {
            // Or the extra bytes were seen in time to fail the whole.
            response.status() == status && response.text() == body || response.is_problem(502)
        }
        Expect::Aborted => {
            response.status() == 200 && !response.complete
                || response.is_problem(502)
                || response.is_problem(504)
        }
        _ => false,
    }
}

async fn run(misbehaviour: Misbehaviour) -> Vec<(String, bool, String)> {
    let Misbehaviour { name, script, expect, .. } = misbehaviour;
    let (origin, good) = origin(script).await;
    let gateway = gateway(&origin);
    let mut results = Vec::new();
    let mut note =
        |case: &str, holds: bool, found: String| results.push((format!("{name}: {case}"), holds, found));

    let mut client = RawClient::connect(gateway.address()).await;
    client.send("GET /bad HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let mut go_on = false;
    match client.response().await {
        Ok(response) => {
            go_on = response.complete;
            note("over HTTP/1.1", is_as_expected(expect, &response), format!("{response:?}"));
        }
        // Its head may not have been sent yet when its body broke off.
        Err(error) => note("over HTTP/1.1", expect == Expect::Aborted, error.to_string()),
    }
    let request = || http::Request::get("http://x/bad").body("").unwrap();
    let mut over_http2 = H2Client::connect(gateway.address()).await;
    match over_http2.exchange(request()).await {
        Ok(response) => note("over HTTP/2", is_as_expected(expect, &response), format!("{response:?}")),
        Err(error) => note("over HTTP/2", expect == Expect::Aborted, error.to_string()),
    }

    good.store(true, Ordering::SeqCst);
    if !go_on {
        client = RawClient::connect(gateway.address()).await;
    }
    for target in ["/next", "/after"] {
        client.send(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        match client.response().await {
            Ok(response) => {
                let clean = response.text() == format!("good {target}") && response.complete;
                note("the next", clean, format!("{response:?}"));
            }
            Err(error) => note("the next", false, error.to_string()),
        }
    }
    let response = over_http2.exchange(request()).await;
    let clean = response.as_ref().is_ok_and(|response| response.text() == "good /bad");
    note("the next over HTTP/2", clean, format!("{response:?}"));
    results
}

#[tokio::test]
async fn a_misbehaving_origin_costs_its_own_request_alone() {
    let all = misbehaving::all();
    assert!(all.len() >= 15);
    let runs: Vec<_> = all.into_iter().map(|misbehaviour| tokio::spawn(run(misbehaviour))).collect();
    let mut tally = Tally::new();
    for run in runs {
        for (case, holds, found) in run.await.unwrap() {
            tally.check(case, holds, found);
        }
    }
    tally.finish(75);
}

#[tokio::test]
async fn a_socket_that_misbehaved_is_not_used_again() {
    let (origin, good) = origin(vec![
        Step::Head,
        Step::Body,
        Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP".into()),
    ])
    .await;
    good.store(false, Ordering::SeqCst);
    let gateway = gateway(&origin);
    for count in 1..=3 {
        let _ = RawClient::once(gateway.address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(origin.accepted(), count);
    }
}

#[tokio::test]
async fn a_response_without_body_is_not_waited_on() {
    let origin = Origin::answering(|request| {
        let status = request.target().trim_start_matches('/').parse().unwrap();
        Reply::new(status).field("content-type", "text/plain")
    })
    .await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    for status in [204, 304, 200] {
        let response = client.exchange(format!("GET /{status} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!((response.status(), response.body.len(), response.complete), (status, 0, true));
        let response = client.exchange(format!("HEAD /{status} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!((response.status(), response.body.len(), response.complete), (status, 0, true));
    }
}

#[tokio::test]
async fn head_keeps_the_length_and_sends_no_body() {
    let origin = Origin::answering(|_| Reply::text("hello")).await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    for _ in 0..2 {
        let response = client.exchange("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!((response.status(), response.header("content-length")), (200, Some("5")));
    }
    let bodied = Origin::start(|_| {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello".to_vec();
        vec![Step::Head, Step::Send(answer), Step::Hang]
    })
    .await;
    let gateway = Gateway::to(bodied.address());
    let mut client = RawClient::connect(gateway.address()).await;
    for count in 1..=2 {
        let response = client.exchange("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(response.status(), 200);
        // The body that should not be there is never read as the next response.
        assert_eq!(bodied.accepted(), count);
    }
}

#[tokio::test]
async fn an_http2_origin_that_resets_is_502_or_an_aborted_body() {
    let before = H2Origin::answering(|_| Reply::new(200).chunk("part").then_reset(2)).await;
    let route =
        format!("- path_prefix: /\n  upstream: {{target: \"{}\", protocol: http2}}\n", before.address());
    let gateway = Gateway::with_routes(&route);
    let response = RawClient::once(gateway.address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(is_as_expected(Expect::Aborted, &response), "{response:?}");
    let request = http::Request::get("http://x/").body("").unwrap();
    match H2Client::connect(gateway.address()).await.exchange(request).await {
        Ok(response) => assert!(is_as_expected(Expect::Aborted, &response), "{response:?}"),
        Err(error) => assert!(error.is_reset(), "{error}"),
    }
}

#[tokio::test]
async fn an_upstream_request_ends_when_its_client_goes_away() {
    let origin = Origin::start(|_| vec![Step::Head, Step::Body, Step::Hang]).await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    origin.has_requests(1).await;
    client.reset();
    eventually("the upstream connection's end", || origin.open() == 0).await;

    let mut client = H2Client::connect(gateway.address()).await;
    let request = http::Request::get("http://x/").body(()).unwrap();
    let (response, stream) = client.sender().send_request(request, true).unwrap();
    origin.has_requests(2).await;
    drop((response, stream));
    eventually("the upstream connection's end", || origin.open() == 0).await;
}

#[tokio::test]
async fn an_origin_that_takes_no_body_and_says_nothing_is_504() {
    let origin = Origin::start(|_| vec![Step::Head, Step::Pause(harness::PATIENCE)]).await;
    let gateway = gateway(&origin);
    for length in [10, 64 << 20] {
        let mut client = RawClient::connect(gateway.address()).await;
        client.send(format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")).await;
        let (mut reading, mut writing) = tokio::io::split(client.into_socket());
        let upload = tokio::spawn(async move {
            let zeros = vec![0; 64 << 10];
            let mut left = length;
            while left > 0 && writing.write_all(&zeros[..left.min(64 << 10)]).await.is_ok() {
                left -= left.min(64 << 10);
            }
            writing
        });
        let mut answer = vec![0; 12];
        let read = harness::within("an answer", reading.read_exact(&mut answer)).await;
        // A client that is still sending may have its answer taken away by the reset that ends its upload.
        assert!(answer == b"HTTP/1.1 504" || read.is_err() && length > 10, "{read:?}");
        drop(harness::within("the upload's end", upload).await.unwrap());
    }
}

#[tokio::test]
async fn a_service_that_is_down_is_502_and_comes_back() {
    let origin = Origin::ok().await;
    let address = origin.address();
    let gateway = Gateway::to(address);
    let request = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut client = RawClient::connect(gateway.address()).await;
    assert_eq!(client.exchange(request).await.status(), 200);
    origin.stop().await;
    let response = client.exchange(request).await;
    assert!(response.is_problem(502), "{response:?}");
    let _origin = Origin::start_at(address, Origin::decent(|_| Reply::text("back"))).await;
    assert_eq!(client.exchange(request).await.text(), "back");
}
