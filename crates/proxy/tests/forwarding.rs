//! What reaches an origin, and what of its answers comes back, over real sockets.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::{Body, ClientInfoLayer, ConnectionInfo, ErrorKind, OnUpgrade, RequestRecord};
use gatewright_proxy::{Protocol, ProxyService, Upstream};
use h2::{Reason, server::SendResponse};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::{Layer, Service, ServiceExt};

mod support;

use support::origin;

/// An HTTP/2 origin that answers each stream by this function, which gets the stream's number over all connections.
async fn http2_origin<F>(
    answer: impl Fn(usize, SendResponse<Bytes>) -> F + Clone + Send + Sync + 'static,
) -> ProxyService
where
    F: Future<Output = ()> + Send + 'static,
{
    let streams = Arc::new(AtomicUsize::new(0));
    let address = origin(move |stream| {
        let (answer, streams) = (answer.clone(), Arc::clone(&streams));
        async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            while let Some(Ok((_, respond))) = connection.accept().await {
                tokio::spawn(answer(streams.fetch_add(1, Ordering::SeqCst), respond));
            }
        }
    })
    .await;
    let upstream =
        Upstream::builder("origin").target(address).protocol(Protocol::Http2).build().expect("builds");
    ProxyService::builder().upstream(upstream).build().expect("builds")
}

/// Sends a body with the flow control of HTTP/2.
async fn send_all(mut respond: SendResponse<Bytes>, mut left: usize) {
    let Ok(mut stream) = respond.send_response(Response::new(()), false) else { return };
    while left > 0 {
        stream.reserve_capacity(left);
        let Some(Ok(granted)) = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
        let chunk = Bytes::from(vec![b'x'; granted.min(left)]);
        left -= chunk.len();
        if stream.send_data(chunk, left == 0).is_err() {
            return;
        }
    }
}

fn get() -> Request<Body> {
    Request::get("/").header("host", "a").body(Body::empty()).expect("a request")
}

/// A body of chunks whose length nobody knows before.
struct Chunks(VecDeque<&'static str>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))))
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_forwarded_whatever_the_method() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let address = origin(move |mut stream| {
        let tell = tell.clone();
        async move {
            let mut seen = String::new();
            while !seen.ends_with("0\r\n\r\n") {
                let mut buffer = [0; 1024];
                let Ok(read @ 1..) = stream.read(&mut buffer).await else { break };
                seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
            let _ = tell.send(seen);
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    })
    .await;
    let proxy = ProxyService::builder().target(address).build().expect("builds");
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "POST"] {
        let body = Body::new(Chunks(VecDeque::from(["hel", "lo"])));
        let request =
            Request::builder().method(method).uri("/").header("host", "a").body(body).expect("a request");
        let response = proxy.clone().oneshot(request).await.expect("answers");
        assert_eq!(response.status(), 200, "{method}");
        let seen = told.recv().await.expect("the origin saw it");
        assert!(seen.contains("transfer-encoding: chunked\r\n"), "{seen}");
        assert!(seen.ends_with("3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"), "{seen}");
    }
}

#[tokio::test]
async fn a_stream_that_the_endpoint_refused_is_sent_again_once() {
    let proxy = http2_origin(async |number: usize, mut respond: SendResponse<Bytes>| {
        if number == 0 {
            respond.send_reset(Reason::REFUSED_STREAM);
        } else {
            send_all(respond, 5).await;
        }
    })
    .await;
    let mut request = get();
    *request.method_mut() = http::Method::POST;
    let response = proxy.oneshot(request).await.expect("answers");
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "xxxxx");

    let proxy = http2_origin(async |_, mut respond: SendResponse<Bytes>| {
        respond.send_reset(Reason::REFUSED_STREAM);
    })
    .await;
    let error = proxy.oneshot(get()).await.expect_err("is refused again");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn a_stream_that_was_reset_for_another_reason_is_not_sent_again() {
    let streams = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&streams);
    let proxy = http2_origin(move |_, mut respond: SendResponse<Bytes>| {
        let count = Arc::clone(&count);
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            respond.send_reset(Reason::INTERNAL_ERROR);
        }
    })
    .await;
    proxy.oneshot(get()).await.expect_err("fails");
    assert_eq!(streams.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn clients_that_do_not_read_stop_nobody_else_on_the_connection() {
    let proxy = http2_origin(async |_, respond: SendResponse<Bytes>| send_all(respond, 4 << 20).await).await;
    let mut unread = Vec::new();
    for _ in 0..20 {
        unread.push(proxy.clone().oneshot(get()).await.expect("answers"));
    }
    // Their windows fill up.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let read = async { proxy.oneshot(get()).await.expect("answers").into_body().collect().await };
    let body =
        tokio::time::timeout(Duration::from_secs(20), read).await.expect("is not held up").expect("a body");
    assert_eq!(body.to_bytes().len(), 4 << 20);
}

/// What an origin sees of this request, with this body.
async fn seen_of(request: http::request::Builder, body: Body) -> String {
    seen_by(|proxy| proxy, request, body).await
}

/// What an origin sees of this request, when a proxy that is wrapped like this sends it on.
async fn seen_by<S>(
    wrapped: impl FnOnce(ProxyService) -> S,
    request: http::request::Builder,
    body: Body,
) -> String
where
    S: Service<Request<Body>, Error: std::fmt::Debug>,
{
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let address = origin(move |mut stream| {
        let tell = tell.clone();
        async move {
            let mut seen = Vec::new();
            let mut buffer = [0; 1024];
            // A body may come after its head.
            while !seen.ends_with(b"\r\n\r\n") && !seen.ends_with(b"hello") {
                let Ok(read @ 1..) = stream.read(&mut buffer).await else { break };
                seen.extend_from_slice(&buffer[..read]);
            }
            let _ = tell.send(String::from_utf8_lossy(&seen).into_owned());
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
        }
    })
    .await;
    let proxy = ProxyService::builder().target(address).build().expect("builds");
    wrapped(proxy).oneshot(request.body(body).expect("a request")).await.expect("answers");
    told.recv().await.expect("the origin saw it")
}

#[tokio::test]
async fn a_body_that_knows_its_length_goes_with_it() {
    let seen = seen_of(Request::post("/").header("host", "a"), Body::once("hello")).await;
    assert!(!seen.contains("transfer-encoding"), "{seen}");
    assert!(seen.contains("content-length: 5\r\n") && seen.ends_with("\r\n\r\nhello"), "{seen}");
    let seen = seen_of(Request::get("/").header("host", "a"), Body::empty()).await;
    assert!(!seen.contains("transfer-encoding"), "{seen}");
}

#[tokio::test]
async fn one_host_arrives_whatever_the_client_sent() {
    let seen = seen_of(Request::get("/").header("host", "a").header("host", "b"), Body::empty()).await;
    assert_eq!(seen.matches("host: a\r\n").count(), 2, "x-forwarded-host and the host itself: {seen}");
    assert!(!seen.contains("host: b"), "{seen}");
}

/// What an origin sees of a request from 192.0.2.7, behind a layer that trusts these peers; and what was taken down of it.
async fn seen_from(trusted: &str, fields: &[(&str, &str)]) -> (String, RequestRecord) {
    let peer = "192.0.2.7:50000".parse().expect("an address");
    let local = "192.0.2.1:80".parse().expect("an address");
    let record = RequestRecord::new(Some(Arc::new(ConnectionInfo::new(peer, local))));
    let mut request = Request::get("/").header("host", "a").extension(record.clone());
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    let layer = ClientInfoLayer::new().trust(trusted.parse().expect("a network"));
    (seen_by(|proxy| layer.layer(proxy), request, Body::empty()).await, record)
}

#[tokio::test]
async fn the_hops_and_the_scheme_that_a_trusted_proxy_names_are_passed_on() {
    let named = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-proto", "https")];
    let (seen, _) = seen_from("192.0.2.0/24", &named).await;
    assert!(seen.contains("x-forwarded-for: 198.51.100.1, 192.0.2.7\r\n"), "{seen}");
    assert_eq!(seen.matches("x-forwarded-proto: https\r\n").count(), 1, "{seen}");
    let (seen, _) = seen_from("203.0.113.0/24", &named).await;
    assert!(seen.contains("x-forwarded-for: 192.0.2.7\r\n"), "{seen}");
    assert_eq!(seen.matches("x-forwarded-proto: http\r\n").count(), 1, "{seen}");
    // Without anyone who knows the connection, nothing is said of it.
    let seen = seen_of(Request::get("/").header("host", "a"), Body::empty()).await;
    assert!(!seen.contains("x-forwarded-proto") && !seen.contains("x-forwarded-for"), "{seen}");
}

#[tokio::test]
async fn the_record_says_which_endpoint_of_which_upstream_answered() {
    let (_, record) = seen_from("203.0.113.0/24", &[]).await;
    let (upstream, endpoint, time) =
        record.with(|known| (known.upstream.clone(), known.endpoint.clone(), known.upstream_time));
    let (upstream, endpoint) = (upstream.expect("is named"), endpoint.expect("is named"));
    assert_eq!(upstream.as_str(), endpoint.as_str());
    assert!(endpoint.starts_with("127.0.0.1:") && time.is_some(), "{endpoint}");
}

#[tokio::test]
async fn a_websocket_is_asked_for_at_the_origin_and_nothing_else_is() {
    let asking = |method: &str, protocol: &str| {
        let (pending, upgrade) = OnUpgrade::pending();
        let request = Request::builder().method(method).uri("/").header("host", "a").extension(upgrade);
        (pending, request.header("connection", "upgrade").header("upgrade", protocol))
    };
    let (_pending, request) = asking("GET", "websocket");
    let seen = seen_of(request, Body::empty()).await;
    assert!(seen.contains("connection: upgrade\r\n") && seen.contains("upgrade: websocket\r\n"), "{seen}");
    for (method, protocol) in [("GET", "h2c"), ("PUT", "websocket")] {
        let (_pending, request) = asking(method, protocol);
        let seen = seen_of(request, Body::empty()).await;
        assert!(!seen.contains("upgrade"), "{method} {protocol}: {seen}");
    }
}
