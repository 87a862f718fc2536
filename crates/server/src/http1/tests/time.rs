//! What time does to a connection that waits for its client.

use std::{convert::Infallible, future::Ready, time::Duration};

use gatewright_core::Body;
use http::{Request, Response};
use tower::Service;

use crate::{
    Limits,
    still::{self, Client},
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// A head has 2 s, an idle connection 60 s, all else much more.
fn limits() -> Limits {
    let long = Duration::from_secs(1000);
    Limits::default()
        .header_timeout(Duration::from_secs(2))
        .keep_alive_timeout(Duration::from_secs(60))
        .park_after(Duration::from_secs(5))
        .body_timeout(long)
        .write_timeout(long)
        .stream_timeout(long)
}

fn hello() -> impl Service<
    Request<Body>,
    Response = Response<Body>,
    Error = Infallible,
    Future = Ready<Result<Response<Body>, Infallible>>,
> + Clone
+ Send
+ 'static {
    tower::service_fn(|_| std::future::ready(Ok(Response::new(Body::once("hello")))))
}

async fn ask(client: &mut Client) {
    client.send(GET).await;
    client.expect(b"hello").await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_at_its_limit_after_the_last_response() {
    for asked_at in [&[0][..], &[1], &[1, 30], &[1, 2, 40], &[1, 58, 115]] {
        let mut client = still::serve(hello(), limits(), false);
        for second in asked_at {
            client.go_to(*second).await;
            ask(&mut client).await;
        }
        let last = asked_at[asked_at.len() - 1];
        let end = client.end().await;
        assert!((last + 60..=last + 61).contains(&end), "{asked_at:?}: closed after {end} s");
    }
}

#[tokio::test(start_paused = true)]
async fn a_parked_connection_sleeps_until_its_limit() {
    let mut client = still::serve(hello(), limits(), false);
    client.go_to(1).await;
    ask(&mut client).await;
    client.go_to(12).await;
    let before = client.polls();
    client.go_to(60).await;
    assert!(!client.has_ended());
    let woken = client.polls() - before;
    assert!(woken <= 1, "woken {woken} times");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_after_a_long_sleep_has_its_own_time() {
    for first in [0, 1] {
        let mut client = still::serve(hello(), limits(), false);
        client.go_to(first).await;
        ask(&mut client).await;
        client.go_to(30).await;
        client.send(b"GET / HT").await;
        let end = client.end().await;
        assert!((32..=33).contains(&end), "closed after {end} s");
        client.expect(b"HTTP/1.1 408").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_slept_is_served_as_before() {
    let mut client = still::serve(hello(), limits(), false);
    for second in [1, 20, 21, 50, 100] {
        client.go_to(second).await;
        ask(&mut client).await;
    }
    // A head in pieces, within its time.
    client.go_to(130).await;
    for piece in GET.chunks(10) {
        client.send(piece).await;
    }
    client.expect(b"hello").await;
    let end = client.end().await;
    assert!((190..=191).contains(&end), "closed after {end} s");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_sends_a_request_has_the_time_of_a_head() {
    for shortest in [1, 2, 1000] {
        let limits = limits().body_timeout(Duration::from_secs(shortest));
        let mut client = still::serve(hello(), limits, false);
        let end = client.end().await;
        assert!((2..=3).contains(&end), "closed after {end} s");
        assert_eq!(client.receive(), b"");
    }
}
