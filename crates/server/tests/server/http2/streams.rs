//! Streams beside each other, and their ends.

use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_core::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::*;
use crate::support::{self, limits, plain, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_takes_no_other_stream_along() {
    let server = start(limits());
    let client = client(&server).await;
    let slow = tokio::spawn({
        let client = client.clone();
        async move { send(&client, get("http://a/slow").body(()).expect("valid")).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let panicked = send(&client, get("http://a/panic").body(()).expect("valid")).await.expect("answers");
    assert_eq!(panicked.status(), 500);
    assert_eq!(slow.await.expect("runs").expect("answers").status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_cancels_the_service() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let service = tower::service_fn(move |_: Request<Body>| {
        let sender = sender.clone();
        async move {
            struct Dropped(tokio::sync::mpsc::UnboundedSender<()>);
            impl Drop for Dropped {
                fn drop(&mut self) {
                    let _ = self.0.send(());
                }
            }
            let _dropped = Dropped(sender);
            std::future::pending::<()>().await;
            support::once("")
        }
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    let mut client = client(&server).await.ready().await.expect("ready");
    let (response, mut send) =
        client.send_request(get("http://a/").body(()).expect("valid"), false).expect("sends");
    tokio::time::sleep(Duration::from_millis(50)).await;
    send.send_reset(h2::Reason::CANCEL);
    timeout(Duration::from_millis(100), receiver.recv()).await.expect("in time").expect("dropped");
    drop(response);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_lets_streams_finish_and_takes_no_new_ones() {
    let server = start(limits());
    let client = client(&server).await;
    let slow = tokio::spawn({
        let client = client.clone();
        async move { send(&client, get("http://a/slow").body(()).expect("valid")).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.handle.drain(Duration::from_secs(10));
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(send(&client, get("http://a/").body(()).expect("valid")).await.is_err());
    assert_eq!(slow.await.expect("runs").expect("answers").status(), 200);
    let drained = timeout(Duration::from_secs(2), server.serving).await.expect("in time");
    assert_eq!(drained.expect("ends").expect("serves").cut(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_in_flight_at_the_deadline_is_cut_and_counted() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel::<()>();
    let service = tower::service_fn(move |_: Request<Body>| {
        let sender = sender.clone();
        async move {
            let _held = sender;
            std::future::pending::<()>().await;
            support::once("")
        }
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    let client = client(&server).await;
    let hanging = tokio::spawn(async move { send(&client, get("http://a/").body(()).expect("valid")).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.handle.drain(Duration::from_millis(300));
    assert_eq!(server.serving.await.expect("ends").expect("serves").cut(), 1);
    assert!(hanging.await.expect("runs").is_err());
    // All clones of the sender are gone, so that the service's future is.
    assert!(timeout(Duration::from_secs(1), receiver.recv()).await.expect("in time").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_come_through() {
    let server = start(limits());
    let mut client = client(&server).await.ready().await.expect("ready");
    let (response, mut send) =
        client.send_request(get("http://a/").body(()).expect("valid"), false).expect("sends");
    send.send_data(Bytes::from_static(b"x"), false).expect("sends");
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "1".parse().expect("a value"));
    send.send_trailers(trailers).expect("sends");
    assert_eq!(response.await.expect("answers").headers()["x-trailers"], "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_knows_how_much_of_a_body_is_still_to_come() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: Request<Body>| {
        let tell = tell.clone();
        async move {
            let mut body = request.into_body();
            loop {
                let left = http_body::Body::size_hint(&body).exact();
                let frame = body.frame().await;
                let length = frame.and_then(Result::ok).and_then(|frame| frame.into_data().ok());
                let _ = tell.send((left, length.as_ref().map(Bytes::len)));
                if length.is_none() {
                    return support::once("read");
                }
            }
        }
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    for (length, left) in [(Some("5"), [Some(5), Some(3), Some(0)]), (None, [None; 3])] {
        let mut client = client(&server).await.ready().await.expect("ready");
        let mut request = get("http://a/");
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        let (response, mut body) = client.send_request(request.body(()).expect("valid"), false).expect("sends");
        body.send_data(Bytes::from_static(b"ab"), false).expect("sends");
        assert_eq!(timeout(LONG, told.recv()).await.expect("in time"), Some((left[0], Some(2))));
        body.send_data(Bytes::from_static(b"cde"), true).expect("sends");
        assert_eq!(timeout(LONG, told.recv()).await.expect("in time"), Some((left[1], Some(3))));
        assert_eq!(timeout(LONG, told.recv()).await.expect("in time"), Some((left[2], None)));
        assert_eq!(response.await.expect("answers").status(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_streams_than_allowed_wait() {
    let server = start(limits().max_streams(2));
    let client = client(&server).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let requests: Vec<_> = (0..6)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { send(&client, get("http://a/slow").body(()).expect("valid")).await })
        })
        .collect();
    let start = Instant::now();
    for request in requests {
        assert_eq!(request.await.expect("runs").expect("answers").status(), 200);
    }
    assert!(start.elapsed() >= Duration::from_millis(800), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_whose_stream_is_reset_without_an_error_is_not_whole() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: Request<Body>| {
        let tell = tell.clone();
        async move {
            let _ = tell.send(request.into_body().collect().await.map(|body| body.to_bytes()));
            support::once("read")
        }
    });
    let server = start_with(service, |server| server.listener(plain()));
    // The reset races with the data, so that it takes a few.
    for _ in 0..30 {
        let mut client = client(&server).await.ready().await.expect("is open");
        let request = Request::post("http://a/").body(()).expect("valid");
        let (_, mut body) = client.send_request(request, false).expect("is sent");
        body.send_data(Bytes::from_static(b"half"), false).expect("is sent");
        tokio::time::sleep(Duration::from_millis(2)).await;
        body.send_reset(h2::Reason::NO_ERROR);
        // A service that was dropped with its stream says nothing.
        if let Ok(Some(body)) = timeout(Duration::from_millis(50), told.recv()).await {
            assert!(body.is_err(), "{body:?}");
        }
    }
}
