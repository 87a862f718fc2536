//! Limits of time.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_core::Body;
use gatewright_server::Limits;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use super::*;
use crate::support::{self, limits, plain, start, start_with};

fn long() -> Limits {
    limits()
        .header_timeout(LONG)
        .keep_alive_timeout(LONG)
        .body_timeout(LONG)
        .write_timeout(LONG)
        .stream_timeout(LONG)
}

/// Reads to the end, which must come at the limit and within a second of it. Gives the code of GOAWAY.
async fn ends_in_time(stream: &mut TcpStream) -> Option<u32> {
    let start = Instant::now();
    let (frames, closed) = frames(stream, Duration::from_secs(5)).await;
    let after = start.elapsed();
    assert!(closed, "stays open");
    assert!(after >= SHORT - Duration::from_millis(60), "too early: {after:?}");
    assert!(after <= SHORT + Duration::from_secs(1), "too late: {after:?}");
    goaway_code(&frames)
}

/// Answers at once, and then echoes frame by frame, as gRPC's bidirectional streams do.
async fn duplex(request: Request<Body>) -> Result<Response<Body>, std::convert::Infallible> {
    Ok(Response::new(request.into_body()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_without_requests_goes_away() {
    let server = start(long().header_timeout(SHORT));
    assert_eq!(ends_in_time(&mut raw(&server).await).await, Some(0));
    let server = start(long().keep_alive_timeout(SHORT));
    let mut stream = raw(&server).await;
    stream.write_all(&frame(1, 5, 1, &head(&[]))).await.expect("sends");
    assert_eq!(ends_in_time(&mut stream).await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preface_without_end_is_closed() {
    let server = start(long().header_timeout(SHORT));
    let mut stream = server.connect().await;
    stream.write_all(&PREFACE[..20]).await.expect("sends");
    assert_eq!(ends_in_time(&mut stream).await, None);
    let mut stream = server.connect().await;
    stream.write_all(PREFACE).await.expect("sends");
    ends_in_time(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_sent_headers_are_closed() {
    let server = start(long().header_timeout(SHORT));
    let block = head(&[]);
    for bytes in [
        frame(1, 1, 1, &block),
        frame(1, 5, 1, &block)[..20].to_vec(),
        frame(1, 5, 1, &block)[..5].to_vec(),
        [frame(1, 1, 1, &block), frame(9, 0, 1, &[])].concat(),
    ] {
        let mut stream = raw(&server).await;
        stream.write_all(&bytes).await.expect("sends");
        assert_eq!(ends_in_time(&mut stream).await, Some(11));
    }
    assert!(server.reasons().iter().all(|reason| *reason == "slow_headers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_frame_of_data_is_closed() {
    let server = start(long().body_timeout(SHORT));
    let mut stream = raw(&server).await;
    let bytes = [&frame(1, 4, 1, &head(&[]))[..], &frame(0, 0, 1, &[b'x'; 100])[..50]].concat();
    stream.write_all(&bytes).await.expect("sends");
    let start = Instant::now();
    let (_, closed) = frames(&mut stream, Duration::from_secs(3)).await;
    assert!(closed && start.elapsed() < SHORT + Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_is_answered_with_408_and_other_streams_go_on() {
    let server = start(long().body_timeout(SHORT));
    let client = client(&server).await;
    let mut slow = client.clone().ready().await.expect("ready");
    let start = Instant::now();
    let (response, mut body) =
        slow.send_request(get("http://a/").body(()).expect("valid"), false).expect("sends");
    body.send_data(Bytes::from_static(b"some"), false).expect("sends");
    let response = timeout(Duration::from_secs(3), response).await.expect("in time").expect("answers");
    assert_eq!(response.status(), 408);
    assert!(start.elapsed() >= SHORT && start.elapsed() < SHORT + Duration::from_secs(1));
    assert_eq!(send(&client, get("http://a/").body(()).expect("valid")).await.expect("answers").status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_answered_may_pause_for_longer_than_a_body_may() {
    let limits = long().body_timeout(SHORT).keep_alive_timeout(SHORT).stream_timeout(SHORT * 4);
    let server = start_with(tower::service_fn(duplex), |builder| builder.listener(plain()).limits(limits));
    let mut client = client(&server).await.ready().await.expect("ready");
    let (response, mut send) =
        client.send_request(get("http://a/").body(()).expect("valid"), false).expect("sends");
    let mut body = response.await.expect("answers").into_body();
    for _ in 0..3 {
        tokio::time::sleep(SHORT * 2).await;
        send.send_data(Bytes::from_static(b"ping"), false).expect("sends");
        assert_eq!(body.data().await.expect("a frame").expect("open"), "ping");
    }
    let start = Instant::now();
    assert!(
        timeout(Duration::from_secs(5), body.data()).await.expect("in time").is_none_or(|frame| frame.is_err())
    );
    assert!(start.elapsed() >= SHORT * 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_its_client_does_not_read_is_reset_alone() {
    struct Endless;
    impl http_body::Body for Endless {
        type Data = Bytes;
        type Error = std::convert::Infallible;
        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(&[b'x'; 8192])))))
        }
    }
    let service = tower::service_fn(|request: Request<Body>| async move {
        let body = if request.uri().path() == "/endless" { Body::new(Endless) } else { Body::once("ok") };
        Ok::<_, std::convert::Infallible>(Response::new(body))
    });
    let server = start_with(service, |builder| builder.listener(plain()).limits(long().write_timeout(SHORT)));
    let client = client(&server).await;
    let mut stuck = client.clone().ready().await.expect("ready");
    let (response, _) =
        stuck.send_request(get("http://a/endless").body(()).expect("valid"), true).expect("sends");
    let mut body = response.await.expect("answers").into_body();
    tokio::time::sleep(SHORT + Duration::from_secs(1)).await;
    // What was in the window is there, and then the reset.
    let reset = loop {
        match body.data().await {
            // Left unreleased, these bytes would hold up every stream of the connection.
            Some(Ok(chunk)) => body.flow_control().release_capacity(chunk.len()).expect("valid"),
            other => break other,
        }
    };
    assert!(reset.is_some_and(|reset| reset.is_err_and(|error| error.is_reset())));
    assert_eq!(send(&client, get("http://a/").body(()).expect("valid")).await.expect("answers").status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_at_all_is_dropped() {
    let service = tower::service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Body::once(vec![b'x'; 8 * 1024 * 1024])))
    });
    let server = start_with(service, |builder| builder.listener(plain()).limits(long().write_timeout(SHORT)));
    let mut stream = server.connect().await;
    // Windows of 2^31 - 1 bytes, so that only the socket blocks.
    let settings = frame(4, 0, 0, &[0, 4, 0x7f, 0xff, 0xff, 0xff]);
    let window = frame(8, 0, 0, &(0x7fff_ffff_u32 - 65_535).to_be_bytes());
    stream.write_all(&[PREFACE, &settings, &window].concat()).await.expect("sends");
    for index in 0..10 {
        stream.write_all(&frame(1, 5, index * 2 + 1, &head(&[]))).await.expect("sends");
    }
    let start = Instant::now();
    tokio::time::sleep(Duration::from_millis(200)).await;
    while server.handle.connections() > 0 {
        assert!(start.elapsed() < Duration::from_secs(4), "stays open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(server.reasons(), ["slow_reader"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_its_response_overtook_has_a_limit() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: Request<Body>| {
        let tell = tell.clone();
        async move {
            tokio::spawn(async move {
                let _ = tell.send(request.into_body().collect().await.map(drop).map_err(|error| error.kind()));
            });
            support::once("early")
        }
    });
    let limits = long().stream_timeout(SHORT);
    let server = start_with(service, |builder| builder.listener(plain()).limits(limits));
    let mut stream = raw(&server).await;
    let bytes = [frame(1, 4, 1, &head(&[])), frame(0, 0, 1, b"half")].concat();
    stream.write_all(&bytes).await.expect("sends");
    let failed = timeout(LONG, told.recv()).await.expect("a limit rings").expect("told");
    assert_eq!(failed, Err(gatewright_core::ErrorKind::RequestBodyTimeout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_nobody_asks_for_does_not_hold_the_connection() {
    let held = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let holder = std::sync::Arc::clone(&held);
    let service = tower::service_fn(move |request: Request<Body>| {
        holder.lock().expect("not poisoned").push(request.into_body());
        async { support::once("early") }
    });
    let limits = long().stream_timeout(SHORT).keep_alive_timeout(SHORT);
    let server = start_with(service, |builder| builder.listener(plain()).limits(limits));
    let mut stream = raw(&server).await;
    let bytes = [frame(1, 4, 1, &head(&[])), frame(0, 0, 1, b"half")].concat();
    stream.write_all(&bytes).await.expect("sends");
    let (frames, closed) = frames(&mut stream, LONG).await;
    assert!(closed, "stays open");
    assert_eq!(goaway_code(&frames), Some(0));
    assert_eq!(held.lock().expect("not poisoned").len(), 1);
}
