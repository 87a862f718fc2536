//! Connections to an origin while they are idle: the origin closes them as the next request arrives, or says something
//! that nobody asked for.

use std::{collections::HashMap, time::Duration};

use harness::{Gateway, Origin, RawClient, Script, Step};
use tokio::task::JoinSet;

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const EVIL: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// Answers once a connection and closes it after so long.
fn closes_after(time: Duration, reset: bool) -> Script {
    let mut script = vec![Step::Head, Step::Body, Step::Send(OK.into()), Step::Pause(time)];
    if reset {
        script.push(Step::Reset);
    }
    script
}

/// Sends requests over one connection each of so many clients, each after so long of a pause.
async fn send(gateway: &Gateway, clients: usize, each: usize, pause: Duration) -> Vec<String> {
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        let address = gateway.address();
        tasks.spawn(async move {
            let mut failures = Vec::new();
            let mut connection = RawClient::connect(address).await;
            for number in 0..each {
                let (method, length) = match number % 4 {
                    0 => ("PUT", "Content-Length: 0\r\n"),
                    1 => ("OPTIONS", ""),
                    _ => ("GET", ""),
                };
                let request = format!("{method} /{client}/{number} HTTP/1.1\r\nHost: x\r\n{length}\r\n");
                let response = connection.exchange(request).await;
                if response.status() != 200 || response.text() != "ok" {
                    failures.push(format!("{method} {client}/{number}: {response:?}"));
                }
                tokio::time::sleep(pause).await;
            }
            failures
        });
    }
    tasks.join_all().await.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_closes_as_the_next_request_arrives_costs_none() {
    // The next request comes just when the origin closes.
    for millis in [0, 1, 10, 250] {
        for reset in [false, true] {
            let time = Duration::from_millis(millis);
            let origin = Origin::start(move |_| closes_after(time, reset)).await;
            let gateway = Gateway::to(origin.address());
            let each = if millis == 250 { 6 } else { 40 };
            let failures = send(&gateway, 10, each, time).await;
            assert!(failures.is_empty(), "after {time:?}, reset: {reset}: {failures:#?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_closes_with_the_next_request_in_hand_costs_none_that_may_be_repeated() {
    for ending in [vec![], vec![Step::Reset]] {
        // The first request of a connection is answered; of the second nothing but its head is read.
        let origin = Origin::start(move |_| {
            let answered = vec![Step::Head, Step::Body, Step::Send(OK.into()), Step::Head];
            [answered, ending.clone()].concat()
        })
        .await;
        let gateway = Gateway::to(origin.address());
        let failures = send(&gateway, 10, 40, Duration::ZERO).await;
        assert!(failures.is_empty(), "{failures:#?}");
        let mut seen = HashMap::<_, usize>::new();
        for request in origin.requests() {
            *seen.entry(request.target().to_owned()).or_default() += 1;
        }
        assert!(seen.values().all(|times| *times <= 2), "{seen:?}");
        assert!(seen.values().any(|times| *times == 2), "nothing was tested");
    }
}

#[tokio::test]
async fn a_post_is_not_repeated_when_its_connection_closes() {
    for (ending, body) in [(vec![], ""), (vec![Step::Reset], ""), (vec![], "abc"), (vec![Step::Reset], "abc")] {
        let origin = Origin::start(move |_| {
            let answered = vec![Step::Head, Step::Body, Step::Send(OK.into()), Step::Head, Step::Body];
            [answered, ending.clone()].concat()
        })
        .await;
        let gateway = Gateway::to(origin.address());
        let mut client = RawClient::connect(gateway.address()).await;
        let mut statuses = Vec::new();
        for number in 0..40 {
            let length = body.len();
            let request =
                format!("POST /{number} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}");
            client.send(request).await;
            match client.response().await {
                Ok(response) => statuses.push(response.status()),
                Err(_) => client = RawClient::connect(gateway.address()).await,
            }
        }
        assert!(statuses.contains(&502) && statuses.contains(&200), "{statuses:?}");
        let mut targets: Vec<_> = origin.requests().iter().map(|request| request.target().to_owned()).collect();
        let all = targets.len();
        targets.sort();
        targets.dedup();
        assert_eq!(targets.len(), all, "some arrived twice");
    }
}

#[tokio::test]
async fn a_request_is_sent_twice_at_most() {
    for ending in [vec![], vec![Step::Reset]] {
        // The first connection answers once. No other one does.
        let origin = Origin::start(move |number| {
            let answered = vec![Step::Head, Step::Body, Step::Send(OK.into())];
            let head = vec![Step::Head];
            [if number == 0 { answered } else { vec![] }, head, ending.clone()].concat()
        })
        .await;
        let gateway = Gateway::builder(&format!(
            "workers: 1\nroutes:\n- path_prefix: /\n  upstream: {}\n",
            origin.address()
        ))
        .start();
        let mut client = RawClient::connect(gateway.address()).await;
        assert_eq!(client.exchange(GET).await.status(), 200);
        assert_eq!(client.exchange(GET).await.status(), 502);
        assert_eq!(origin.requests().len(), 3);
        // A new connection that closes is no reason to try once more.
        assert_eq!(client.exchange(GET).await.status(), 502);
        assert_eq!(origin.requests().len(), 4);
    }
}

#[tokio::test]
async fn all_idle_connections_may_be_closing_at_once() {
    // One request goes again on a new connection, since the other idle ones may be closing as well.
    let origin = Origin::start(move |number| {
        let answered =
            vec![Step::Head, Step::Body, Step::Pause(Duration::from_millis(100)), Step::Send(OK.into())];
        if number < 8 { [answered, vec![Step::Head]].concat() } else { [answered, vec![Step::Again]].concat() }
    })
    .await;
    let gateway =
        Gateway::builder(&format!("workers: 1\nroutes:\n- path_prefix: /\n  upstream: {}\n", origin.address()))
            .start();
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let address = gateway.address();
        clients.spawn(async move { RawClient::once(address, GET).await.status() });
    }
    assert_eq!(clients.join_all().await, [200; 8]);
    assert_eq!(origin.accepted(), 8);
    assert_eq!(RawClient::once(gateway.address(), GET).await.status(), 200);
    assert_eq!(origin.accepted(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_response_that_nobody_asked_for_is_nobodys() {
    for millis in [0, 1, 50] {
        let origin = Origin::start(move |_| {
            vec![
                Step::Head,
                Step::Body,
                Step::Send(OK.into()),
                Step::Pause(Duration::from_millis(millis)),
                Step::Send(EVIL.into()),
                Step::Hang,
            ]
        })
        .await;
        let gateway = Gateway::to(origin.address());
        // The origin has sent it before the next request comes.
        let pause = Duration::from_millis(millis + 20);
        let failures = send(&gateway, 1, 20, pause).await;
        assert!(failures.is_empty(), "after {millis} ms: {failures:#?}");
        assert_eq!(origin.accepted(), 20, "each connection is of no use after its answer");
    }
}
