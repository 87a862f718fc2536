//! An origin that dies in the middle of a request: nothing is done twice that may not be, and a retry storm is bound.

use std::{collections::HashMap, time::Duration};

use harness::{Gateway, Origin, RawClient, Script, Step, Tally};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const LAST: &[u8] = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

const REQUESTS: usize = 100;

/// The points at which an origin dies, each as what it does up to there.
fn points() -> Vec<(&'static str, Script)> {
    let pause = || Step::Pause(Duration::from_millis(20));
    vec![
        ("at accept", vec![Step::Reset]),
        ("closed at accept", vec![]),
        ("after the head", vec![Step::Head, Step::Reset]),
        ("in the body", vec![Step::Head, pause(), Step::Reset]),
        ("before the response", vec![Step::Head, Step::Body, Step::Reset]),
        ("closed before the response", vec![Step::Head, Step::Body]),
        ("in the response's head", vec![Step::Head, Step::Body, Step::Send(OK[..20].into()), Step::Reset]),
        (
            "in the response's body",
            vec![Step::Head, Step::Body, Step::Send(OK[..39].into()), pause(), Step::Reset],
        ),
        // On a connection that has been good once, where a pool might think that nothing was sent.
        (
            "on reuse, after the head",
            vec![Step::Head, Step::Body, Step::Send(OK.into()), Step::Head, Step::Reset],
        ),
        (
            "on reuse, before the response",
            vec![Step::Head, Step::Body, Step::Send(OK.into()), Step::Head, Step::Body, Step::Reset],
        ),
        ("closed after a response", vec![Step::Head, Step::Body, Step::Send(OK.into())]),
        ("reset after a response", vec![Step::Head, Step::Body, Step::Send(OK.into()), Step::Reset]),
    ]
}

/// How many requests may arrive at most: retries are a fifth, and the reserve of a quiet upstream, five retries, comes
/// on top. A GET that meets the end of a connection that had served goes once more, whatever the budget says (RFC 9112,
/// section 9.3.1); half of the requests are GETs.
fn most(point: &str) -> usize {
    let met = if point.starts_with("on reuse") { REQUESTS / 2 } else { 0 };
    REQUESTS + REQUESTS / 5 + 5 + met
}

fn gateway(origin: &Origin) -> Gateway {
    Gateway::builder(&format!(
        "defaults: {{timeout: 5s, retries: {{attempts: 3, on: [connect, reset, 503]}}}}\n\
         routes:\n- path_prefix: /\n  upstream: {}\n",
        origin.address()
    ))
    .start()
}

/// Sends POSTs and GETs in turn, each with an id of its own, and returns their statuses by method.
async fn send_requests(gateway: &Gateway) -> HashMap<&'static str, Vec<u16>> {
    let mut statuses = HashMap::<_, Vec<u16>>::new();
    for id in 0..REQUESTS {
        // Half of the POSTs have no body, so that nothing but their method stands against sending them again.
        let (method, length, body) = match id % 4 {
            0 => ("POST", "Content-Length: 10\r\n", "0123456789"),
            2 => ("POST", "Content-Length: 0\r\n", ""),
            _ => ("GET", "", ""),
        };
        let mut client = RawClient::connect(gateway.address()).await;
        client.send(format!("{method} /{id} HTTP/1.1\r\nHost: x\r\n{length}\r\n{body}")).await;
        let status = client.response().await.map_or(0, |response| response.status());
        statuses.entry(method).or_default().push(status);
    }
    statuses
}

#[tokio::test]
async fn no_post_arrives_twice_and_retries_stay_within_a_fifth() {
    let mut tally = Tally::new();
    for (point, script) in points() {
        // Every other connection dies, so that a retry has a chance.
        let origin = Origin::start(move |number| match number % 2 {
            0 => script.clone(),
            _ => vec![Step::Head, Step::Body, Step::Send(LAST.into())],
        })
        .await;
        let gateway = gateway(&origin);
        let statuses = send_requests(&gateway).await;
        let seen = origin.requests();

        let mut posts = HashMap::<_, usize>::new();
        for request in seen.iter().filter(|request| request.method() == "POST") {
            *posts.entry(request.target().to_owned()).or_default() += 1;
        }
        posts.retain(|_, count| *count > 1);
        tally.check(format!("{point}: a POST arrived twice"), posts.is_empty(), posts);

        let most = most(point);
        tally.check(format!("{point}: amplification"), seen.len() <= most, seen.len());

        let all: Vec<u16> = statuses.values().flatten().copied().collect();
        let known = all.iter().all(|status| matches!(status, 200 | 502));
        tally.check(format!("{point}: statuses"), known && all.contains(&200), &statuses);
    }
    tally.finish(36);
}

#[tokio::test]
async fn an_upstream_that_always_dies_is_not_stormed() {
    let mut tally = Tally::new();
    for (point, script) in points() {
        let origin = Origin::start(move |_| script.clone()).await;
        let gateway = gateway(&origin);
        send_requests(&gateway).await;
        let most = most(point);
        let seen = origin.requests().len();
        tally.check(format!("{point}: requests"), seen <= most, seen);
    }
    tally.finish(12);
}

#[tokio::test]
async fn a_request_of_which_nothing_was_sent_goes_to_another_target() {
    let dead = Origin::ok().await;
    let dead_address = dead.address();
    dead.stop().await;
    let alive = Origin::ok().await;
    let gateway = Gateway::with_routes(&format!(
        "- path_prefix: /\n  upstream: {{targets: [\"{dead_address}\", \"{}\"]}}\n  retries: {{attempts: 1, on: [connect]}}\n",
        alive.address()
    ));
    for _ in 0..6 {
        let request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
        let response = RawClient::once(gateway.address(), request).await;
        assert_eq!(response.status(), 200, "{response:?}");
    }
    assert_eq!(alive.requests().len(), 6);
}

#[tokio::test]
async fn an_idle_connection_that_the_origin_has_closed_costs_no_request() {
    // Each connection answers once and is closed while it is idle.
    let origin = Origin::start(|_| vec![Step::Head, Step::Body, Step::Send(OK.into())]).await;
    let gateway = Gateway::to(origin.address());
    let mut client = RawClient::connect(gateway.address()).await;
    for number in 1..=10 {
        let response = client.exchange("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc").await;
        assert_eq!(response.status(), 200, "{response:?}");
        assert_eq!(origin.requests().len(), number);
        // Time for the end to reach the pool: a request that meets it half-way may fail, by RFC 9110, section 9.2.2.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_status_may_be_a_reason_to_send_again() {
    for status in [429, 500, 502, 503, 504] {
        let origin = Origin::start(move |number| {
            let failure = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
            let answer = if number % 2 == 0 { failure.into() } else { LAST.into() };
            vec![Step::Head, Step::Body, Step::Send(answer)]
        })
        .await;
        let gateway = Gateway::with_routes(&format!(
            "- path_prefix: /\n  upstream: {}\n  retries: {{attempts: 1, on: [{status}]}}\n",
            origin.address()
        ));
        let response = RawClient::once(gateway.address(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!((response.status(), origin.requests().len()), (200, 2));
        let request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n";
        let response = RawClient::once(gateway.address(), request).await;
        assert_eq!((response.status(), origin.requests().len()), (status, 3));
    }
}
