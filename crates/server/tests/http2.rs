//! HTTP/2 over cleartext: the rules of a head, floods, limits of time, drain.

mod support;

use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright_core::Body;
use gatewright_server::Limits;
use h2::client::SendRequest;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::BodyExt;
use support::{Running, limits, plain, start, start_with};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

async fn client(server: &Running) -> SendRequest<Bytes> {
    let (send, connection) = h2::client::handshake(server.connect().await).await.expect("shakes hands");
    tokio::spawn(connection);
    send
}

fn get(uri: &str) -> http::request::Builder {
    Request::builder().version(Version::HTTP_2).uri(uri)
}

/// Sends a request without a body, and gives the status or the reason of the reset.
async fn send(client: &SendRequest<Bytes>, request: Request<()>) -> Result<Response<Bytes>, h2::Error> {
    let mut client = client.clone().ready().await?;
    let (response, _) = client.send_request(request, true)?;
    let (head, mut body) = response.await?.into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        bytes.extend(chunk?);
    }
    Ok(Response::from_parts(head, bytes.into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_served_side_by_side() {
    let server = start(limits());
    let client = client(&server).await;
    let start = Instant::now();
    let requests = (0..20).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { send(&client, get("http://a/slow").body(()).expect("valid")).await })
    });
    for response in requests.collect::<Vec<_>>() {
        assert_eq!(response.await.expect("runs").expect("answers").status(), 200);
    }
    assert!(start.elapsed() < Duration::from_millis(1500));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_head_that_h2_lets_through_is_held_to_the_rules() {
    let server = start(limits());
    let client = client(&server).await;
    let long = format!("http://a/{}", "a".repeat(8 * 1024));
    let mut many = HeaderMap::new();
    for index in 0..101 {
        many.append("x", index.into());
    }
    let mut many_fields = get("http://a/");
    many_fields.headers_mut().expect("valid").extend(many);
    let cases: Vec<(u16, &str, http::request::Builder)> = vec![
        (200, "plain", get("http://a/")),
        (200, "host beside the authority", get("http://a/").header("host", "A")),
        (200, "host with the default port", get("http://a/").header("host", "a:80")),
        (200, "te: trailers", get("http://a/").header("te", "trailers")),
        (200, "expectation", get("http://a/").header("expect", "100-continue")),
        (400, "host differs", get("http://a/").header("host", "b")),
        (400, "host with another port", get("http://a/").header("host", "a:81")),
        (400, "two hosts", get("http://a/").header("host", "a").header("host", "a")),
        (400, "malformed host", get("http://a/").header("host", "a/b")),
        (400, "user information", get("http://u@a/")),
        (400, "underscore", get("http://a/").header("x_user", "1")),
        (400, "dot in a name", get("http://a/").header("x.user", "1")),
        (400, "two lengths", get("http://a/").header("content-length", "0").header("content-length", "0")),
        (400, "another scheme", get("ftp://a/")),
        (400, "angle bracket", get("http://a/%3C").uri("http://a/\u{e9}")),
        (405, "CONNECT", get("http://a/").method(Method::CONNECT).uri("a:443")),
        (417, "another expectation", get("http://a/").header("expect", "x")),
        (414, "long target", get(&long)),
        (431, "many fields", many_fields),
    ];
    for (status, name, request) in cases {
        let Ok(request) = request.body(()) else { continue };
        let response = send(&client, request).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(response.status().as_u16(), status, "{name}");
    }
    assert_eq!(server.calls(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_beyond_64_kib_is_refused() {
    let server = start(limits());
    let client = client(&server).await;
    for (bytes, accepted) in [(60 * 1024, true), (66 * 1024, false)] {
        let request = get("http://a/").header("x", "a".repeat(bytes)).body(()).expect("valid");
        match send(&client, request).await {
            Ok(response) => assert_eq!(response.status(), if accepted { 200 } else { 431 }),
            Err(error) => assert!(!accepted, "{error}"),
        }
    }
    assert_eq!(server.calls(), 1);
}

/// An HPACK literal without indexing.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        assert!(text.len() < 127);
        bytes.push(u8::try_from(text.len()).expect("short"));
        bytes.extend(text.as_bytes());
    }
    bytes
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let pseudo = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    pseudo.iter().chain(fields).flat_map(|(name, value)| literal(name, value)).collect()
}

/// A raw client that has sent its preface and settings.
async fn raw(server: &Running) -> TcpStream {
    let mut stream = server.connect().await;
    stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.expect("sends");
    stream
}

/// The frames that come until the connection ends: kind, stream, payload.
async fn frames(stream: &mut TcpStream, patience: Duration) -> (Vec<(u8, u32, Vec<u8>)>, bool) {
    let (mut bytes, mut frames) = (Vec::new(), Vec::new());
    let closed = loop {
        match timeout(patience, stream.read_buf(&mut bytes)).await {
            Err(_) => break false,
            Ok(Ok(0)) => break true,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => panic!("reset: {error}"),
        }
    };
    let mut rest = &bytes[..];
    while let [l0, l1, l2, kind, _, s0, s1, s2, s3, ..] = rest {
        let length = usize::from(*l0) << 16 | usize::from(*l1) << 8 | usize::from(*l2);
        frames.push((*kind, u32::from_be_bytes([*s0, *s1, *s2, *s3]), rest[9..9 + length].to_vec()));
        rest = &rest[9 + length..];
    }
    assert!(rest.is_empty(), "half a frame");
    (frames, closed)
}

fn goaway_code(frames: &[(u8, u32, Vec<u8>)]) -> Option<u32> {
    let (_, _, payload) = frames.iter().rev().find(|(kind, _, _)| *kind == 7)?;
    payload.get(4..8).map(|code| u32::from_be_bytes(code.try_into().expect("four bytes")))
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_h1_would_read_in_another_way_are_reset() {
    let server = start(limits());
    for (name, fields) in [
        ("connection", [("connection", "close")]),
        ("transfer-encoding", [("transfer-encoding", "chunked")]),
        ("upgrade", [("upgrade", "websocket")]),
        ("keep-alive", [("keep-alive", "1")]),
        ("proxy-connection", [("proxy-connection", "close")]),
        ("te", [("te", "gzip")]),
        ("upper case", [("X-Upper", "1")]),
        ("line break in a value", [("x", "a\r\nhost: b")]),
        ("line break in a name", [("x\r\nhost", "b")]),
        ("NUL in a value", [("x", "a\0b")]),
        ("space in a name", [("x y", "b")]),
        ("colon in a name", [("x:", "b")]),
        ("pseudo-header field after a field", [(":path", "/b")]),
        ("unknown pseudo-header field", [(":x", "b")]),
        ("empty name", [("", "b")]),
    ] {
        let mut stream = raw(&server).await;
        stream.write_all(&frame(1, 5, 1, &head(&fields))).await.expect("sends");
        let (frames, closed) = frames(&mut stream, Duration::from_millis(300)).await;
        let reset = frames.iter().any(|(kind, stream, _)| (*kind, *stream) == (3, 1));
        assert!(reset || closed && goaway_code(&frames).is_some(), "{name}: {frames:?}");
    }
    for (name, pseudo) in [
        ("no path", vec![(":method", "GET"), (":scheme", "http"), (":authority", "a")]),
        ("empty path", vec![(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", "a")]),
        (
            "path with a space",
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/ HTTP/1.1"), (":authority", "a")],
        ),
        (
            "path with a line break",
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/\r\n"), (":authority", "a")],
        ),
        (
            "method with a space",
            vec![(":method", "GET / X"), (":scheme", "http"), (":path", "/"), (":authority", "a")],
        ),
        (
            "authority with a line break",
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a\r\nx: y")],
        ),
        (
            "authority with a path",
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a/b")],
        ),
        (
            "two paths",
            vec![(":method", "GET"), (":scheme", "http"), (":path", "/"), (":path", "/b"), (":authority", "a")],
        ),
        (
            "length that does not match",
            vec![
                (":method", "GET"),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "a"),
                ("content-length", "5"),
            ],
        ),
        (
            "length that is no number",
            vec![
                (":method", "GET"),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "a"),
                ("content-length", "+0"),
            ],
        ),
    ] {
        let block: Vec<u8> = pseudo.iter().flat_map(|(name, value)| literal(name, value)).collect();
        let mut stream = raw(&server).await;
        stream.write_all(&frame(1, 5, 1, &block)).await.expect("sends");
        let (frames, closed) = frames(&mut stream, Duration::from_millis(300)).await;
        let reset = frames.iter().any(|(kind, stream, _)| (*kind, *stream) == (3, 1));
        let refused = frames.iter().any(|(kind, _, block)| *kind == 1 && block.first() == Some(&0x8c));
        assert!(reset || refused || closed && goaway_code(&frames).is_some(), "{name}: {frames:?}");
    }
    assert_eq!(server.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_any_host_is_refused() {
    let server = start(limits());
    let block: Vec<u8> = [(":method", "GET"), (":scheme", "http"), (":path", "/")]
        .iter()
        .flat_map(|(name, value)| literal(name, value))
        .collect();
    let mut stream = raw(&server).await;
    stream.write_all(&frame(1, 5, 1, &block)).await.expect("sends");
    let (frames, _) = frames(&mut stream, Duration::from_millis(300)).await;
    // 0x8c is `:status: 400` of the static table.
    assert!(frames.iter().any(|(kind, _, block)| *kind == 1 && block.first() == Some(&0x8c)), "{frames:?}");
    assert_eq!(server.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flood_ends_in_goaway_with_enhance_your_calm() {
    let server = start(limits());
    let open = frame(1, 4, 1, &head(&[]));
    let mut resets = Vec::new();
    for index in 0..2000 {
        let stream = index * 2 + 1;
        resets.extend(frame(1, 5, stream, &head(&[])));
        resets.extend(frame(3, 0, stream, &[0, 0, 0, 8]));
    }
    let continuations = [frame(1, 0, 1, &head(&[])), frame(9, 0, 1, &[]).repeat(2000)].concat();
    let bomb =
        [frame(1, 0, 1, &head(&[])), frame(9, 0, 1, &literal("x", &"a".repeat(120)).repeat(100)).repeat(400)]
            .concat();
    for (name, bytes) in [
        ("PING", frame(6, 0, 0, &[0; 8]).repeat(2000)),
        ("PING answers", frame(6, 1, 0, &[0; 8]).repeat(2000)),
        ("SETTINGS", frame(4, 0, 0, &[]).repeat(2000)),
        ("SETTINGS with values", frame(4, 0, 0, &[0, 3, 0, 0, 0, 1]).repeat(2000)),
        ("PRIORITY", frame(2, 0, 1, &[0, 0, 0, 3, 1]).repeat(2000)),
        ("WINDOW_UPDATE", frame(8, 0, 0, &[0, 0, 0, 1]).repeat(3000)),
        ("unknown frames", frame(99, 0, 0, &[1, 2]).repeat(2000)),
        ("empty DATA", [&open[..], &frame(0, 0, 1, &[]).repeat(2000)].concat()),
        ("padded DATA", [&open[..], &frame(0, 8, 1, &[4, 0, 0, 0, 0]).repeat(2000)].concat()),
        ("rapid reset", resets),
        ("empty CONTINUATION", continuations),
        ("large CONTINUATION", bomb),
    ] {
        let mut stream = raw(&server).await;
        let _ = stream.write_all(&bytes).await;
        let (frames, closed) = frames(&mut stream, Duration::from_secs(1)).await;
        assert!(closed, "{name}: stays open");
        assert_eq!(goaway_code(&frames), Some(11), "{name}");
    }
    // Nothing is left of any of them.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.handle.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diligent_client_is_no_flood() {
    let server = start(limits());
    let (send_request, mut connection) =
        h2::client::handshake(server.connect().await).await.expect("shakes hands");
    let mut pings = connection.ping_pong().expect("not taken");
    tokio::spawn(connection);
    // As many pings as a flood has, each with a request between.
    for _ in 0..400 {
        assert_eq!(
            send(&send_request, get("http://a/").body(()).expect("valid")).await.expect("answers").status(),
            200
        );
        pings.ping(h2::Ping::opaque()).await.expect("answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_download_with_small_windows_is_no_flood() {
    let service = tower::service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Body::once(vec![b'x'; 4_000_000])))
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(2000)
        .handshake::<_, Bytes>(server.connect().await)
        .await
        .expect("shakes hands");
    tokio::spawn(connection);
    let mut client = client.ready().await.expect("ready");
    let (response, _) = client.send_request(get("http://a/").body(()).expect("valid"), true).expect("sends");
    let mut body = response.await.expect("answers").into_body();
    let mut total = 0;
    while let Some(chunk) = body.data().await {
        let chunk = chunk.expect("a chunk");
        total += chunk.len();
        body.flow_control().release_capacity(chunk.len()).expect("valid");
    }
    assert_eq!(total, 4_000_000);
}

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

/// Answers at once, and then echoes frame by frame, as gRPC's bidirectional streams do.
async fn duplex(request: Request<Body>) -> Result<Response<Body>, std::convert::Infallible> {
    Ok(Response::new(request.into_body()))
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
