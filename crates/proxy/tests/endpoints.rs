//! Endpoints that come and go while requests run, over real sockets.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use gatewright_core::{Body, Error, ErrorKind};
use gatewright_proxy::{Protocol, ProxyBody, ProxyService, Target, Upstream};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};
use tower::ServiceExt;

mod support;

use support::origin;

fn service(upstream: &Upstream) -> ProxyService {
    ProxyService::builder().upstream(upstream.clone()).build().expect("builds")
}

async fn get(proxy: ProxyService) -> Result<Response<ProxyBody>, Error> {
    proxy.oneshot(Request::get("/").header("host", "a").body(Body::empty()).expect("a request")).await
}

fn target(address: &str) -> Target {
    address.parse().expect("a target")
}

/// Answers each request on a connection, and tells how many connections are open.
async fn answer_all(mut stream: TcpStream, open: Arc<AtomicUsize>) {
    open.fetch_add(1, Ordering::SeqCst);
    let mut buffer = [0; 4096];
    while let Ok(1..) = stream.read(&mut buffer).await {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    }
    open.fetch_sub(1, Ordering::SeqCst);
}

/// An endpoint, and how many connections it has.
async fn endpoint() -> (String, Arc<AtomicUsize>) {
    let open = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&open);
    (origin(move |stream| answer_all(stream, Arc::clone(&count))).await, open)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn endpoints_are_replaced_under_load_without_a_failed_request() {
    let endpoints = [endpoint().await, endpoint().await, endpoint().await];
    let upstream = Upstream::builder("u").target(&endpoints[0].0).build().expect("builds");
    let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients = (0..8).map(|_| {
        let (proxy, stop, served) = (service(&upstream), Arc::clone(&stop), Arc::clone(&served));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let response = get(proxy.clone()).await.expect("no request fails");
                let body = response.into_body().collect().await.expect("no response fails");
                assert_eq!(body.to_bytes(), "ok");
                served.fetch_add(1, Ordering::Relaxed);
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    for round in 0..200_usize {
        // One, two or three of them, in another order each time.
        let chosen = (0..=round % 3).map(|at| &endpoints[(round + at) % 3].0);
        let weights = chosen.enumerate().map(|(at, address)| (target(address), at as u32 + 1));
        upstream.set_targets(weights).expect("is right");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no request fails");
    }
    let served = served.load(Ordering::Relaxed);
    assert!(served > 200, "{served}");
}

#[tokio::test]
async fn an_endpoint_that_stays_keeps_its_connection_and_one_that_goes_closes_it() {
    let ((stays, stays_open), (goes, goes_open)) = (endpoint().await, endpoint().await);
    let upstream = Upstream::builder("u").target(&stays).target(&goes).build().expect("builds");
    for _ in 0..2 {
        get(service(&upstream)).await.expect("answers").into_body().collect().await.expect("a body");
    }
    let open = || (stays_open.load(Ordering::SeqCst), goes_open.load(Ordering::SeqCst));
    assert_eq!(open(), (1, 1));
    upstream.set_targets([(target(&stays), 3)]).expect("is right");
    for _ in 0..2 {
        get(service(&upstream)).await.expect("answers").into_body().collect().await.expect("a body");
    }
    // Long before it would have been idle for too long.
    let closed = async {
        while open() != (1, 0) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(2), closed).await.expect("it is closed");
}

#[tokio::test]
async fn the_response_of_an_endpoint_that_has_gone_completes() {
    let go_on = Arc::new(Notify::new());
    let (waits, (other, _)) = (Arc::clone(&go_on), endpoint().await);
    let address = origin(move |mut stream| {
        let waits = Arc::clone(&waits);
        async move {
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf").await;
            waits.notified().await;
            let _ = stream.write_all(b"half").await;
            // The proxy keeps no connection to an endpoint that has gone.
            assert_eq!(stream.read(&mut buffer).await.unwrap_or(0), 0);
            waits.notify_one();
        }
    })
    .await;
    let upstream = Upstream::builder("u").target(address).build().expect("builds");
    let response = get(service(&upstream)).await.expect("answers");
    upstream.set_targets([(target(&other), 1)]).expect("is right");
    assert_eq!(get(service(&upstream)).await.expect("answers").status(), 200);
    go_on.notify_one();
    let body = response.into_body().collect().await.expect("is whole").to_bytes();
    assert_eq!(body, "halfhalf");
    tokio::time::timeout(Duration::from_secs(2), go_on.notified()).await.expect("it is closed");
}

#[tokio::test]
async fn over_http2_the_streams_of_an_endpoint_that_has_gone_complete() {
    let go_on = Arc::new(Notify::new());
    let waits = Arc::clone(&go_on);
    let address = origin(move |stream| {
        let waits = Arc::clone(&waits);
        async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                let waits = Arc::clone(&waits);
                tokio::spawn(async move {
                    let mut body = respond.send_response(Response::new(()), false).expect("is open");
                    waits.notified().await;
                    body.send_data("all of it".into(), true).expect("is open");
                });
            }
            waits.notify_one();
        }
    })
    .await;
    let upstream = Upstream::builder("u").target(address).protocol(Protocol::Http2).build().expect("builds");
    let response = get(service(&upstream)).await.expect("answers");
    upstream.set_targets([]).expect("is right");
    go_on.notify_one();
    let body = response.into_body().collect().await.expect("is whole").to_bytes();
    assert_eq!(body, "all of it");
    tokio::time::timeout(Duration::from_secs(2), go_on.notified()).await.expect("it is closed");
}

#[tokio::test]
async fn without_an_endpoint_the_answer_is_503_with_its_own_reason() {
    let (address, _) = endpoint().await;
    let upstream = Upstream::builder("u").without_targets().build().expect("builds");
    let error = get(service(&upstream)).await.expect_err("there is none");
    assert_eq!((error.kind(), error.kind().as_str()), (ErrorKind::NoEndpoint, "no_endpoint"));
    assert_eq!(gatewright_core::problem::status(error.kind()), 503);
    upstream.set_targets([(target(&address), 1)]).expect("is right");
    assert_eq!(get(service(&upstream)).await.expect("answers").status(), 200);
    upstream.set_targets([]).expect("is right");
    assert_eq!(get(service(&upstream)).await.expect_err("there is none").kind(), ErrorKind::NoEndpoint);
}
