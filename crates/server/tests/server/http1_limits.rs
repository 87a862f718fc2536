//! Limits of time on HTTP/1: each phase of a connection ends at its own limit, and within a second of it.

use std::time::{Duration, Instant};

use crate::support::{echo, finish, limits, plain, start, start_with};
use gatewright_core::Body;
use gatewright_server::Limits;
use http::{Request, Response};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(5);

/// All limits long, so that only the one that a test makes short can act.
fn long() -> Limits {
    limits()
        .header_timeout(LONG)
        .keep_alive_timeout(LONG)
        .body_timeout(LONG)
        .write_timeout(LONG)
        .stream_timeout(LONG)
}

/// Reads to the end, which must come at the limit and within a second of it.
async fn ends_in_time(stream: &mut TcpStream) -> Vec<u16> {
    let start = Instant::now();
    let outcome = finish(stream, PATIENCE).await;
    let after = start.elapsed();
    assert!(outcome.closed, "stays open");
    assert!(after >= SHORT - Duration::from_millis(60), "too early: {after:?}");
    assert!(after <= SHORT + Duration::from_secs(1), "too late: {after:?}");
    outcome.statuses()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_closed_without_a_word() {
    let server = start(long().header_timeout(SHORT));
    let mut stream = server.connect().await;
    assert!(ends_in_time(&mut stream).await.is_empty());
    assert_eq!(server.reasons(), ["slow_handshake"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_head_is_answered_with_408() {
    let server = start(long().header_timeout(SHORT));
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nx: ").await.expect("sends");
    assert_eq!(ends_in_time(&mut stream).await, [408]);
    assert_eq!(server.reasons(), ["slow_head"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_drips_is_no_better() {
    let server = start(long().header_timeout(SHORT));
    let (mut read, mut write) = server.connect().await.into_split();
    let dripping = tokio::spawn(async move {
        let _ = write.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nx: ").await;
        while write.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let start = Instant::now();
    let outcome = finish(&mut read, PATIENCE).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![408], true));
    assert!(start.elapsed() < SHORT + Duration::from_secs(1));
    dripping.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_head_has_its_own_time() {
    let server = start(long().header_timeout(SHORT));
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
    assert_eq!(finish(&mut stream, SHORT * 2).await.statuses(), [200]);
    stream.write_all(b"GET / HTTP").await.expect("sends");
    assert_eq!(ends_in_time(&mut stream).await, [408]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_begun_during_a_response_is_timed_from_its_end() {
    let server = start(long().header_timeout(SHORT));
    let mut stream = server.connect().await;
    // The response takes as long as the limit.
    let bytes = b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\n";
    stream.write_all(bytes).await.expect("sends");
    tokio::time::sleep(Duration::from_millis(450)).await;
    stream.write_all(b"host: a\r\n\r\n").await.expect("sends");
    assert_eq!(finish(&mut stream, Duration::from_millis(100)).await.statuses(), [200, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_closed() {
    let server = start(long().keep_alive_timeout(SHORT));
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
    assert_eq!(ends_in_time(&mut stream).await, [200]);
    // One that is in use is not.
    let mut stream = server.connect().await;
    for _ in 0..8 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
        let outcome = finish(&mut stream, Duration::from_millis(100)).await;
        assert_eq!((outcome.statuses(), outcome.closed), (vec![200], false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blank_line_does_not_make_an_idle_connection_slow() {
    let server = start(long().header_timeout(SHORT));
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n\r\n").await.expect("sends");
    let outcome = finish(&mut stream, SHORT * 3).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![200], false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_body_fails_and_is_answered_with_408() {
    let server = start(long().body_timeout(SHORT));
    for framing in [
        "content-length: 10\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n5\r\nhel",
        "transfer-encoding: chunked\r\n\r\n0\r\nx: ",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(format!("POST / HTTP/1.1\r\nhost: a\r\n{framing}").as_bytes()).await.expect("sends");
        assert_eq!(ends_in_time(&mut stream).await, [408], "{framing}");
    }
    // The service has answered so itself, and tells of it in its own log.
    assert_eq!(server.reasons(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_moves_is_not_slow() {
    let server = start(long().body_timeout(SHORT));
    let mut stream = server.connect().await;
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n").await.expect("sends");
    for _ in 0..8 {
        tokio::time::sleep(SHORT / 2).await;
        stream.write_all(b"x").await.expect("sends");
    }
    assert_eq!(finish(&mut stream, Duration::from_millis(200)).await.statuses(), [200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_the_service_leaves_waiting_is_not_slow() {
    // It takes the first chunk, and the next one only after several times the limit.
    let service = tower::service_fn(|request: Request<Body>| async move {
        use http_body_util::BodyExt;
        let mut body = request.into_body();
        let first = body.frame().await.expect("a frame")?;
        tokio::time::sleep(SHORT * 4).await;
        let rest = body.collect().await?.to_bytes();
        let length = first.data_ref().map_or(0, |data| data.len()) + rest.len();
        Ok::<_, gatewright_core::Error>(Response::new(Body::once(length.to_string())))
    });
    let server = start_with(service, |builder| builder.listener(plain()).limits(long().body_timeout(SHORT)));
    let (mut read, mut write) = server.connect().await.into_split();
    let sending = tokio::spawn(async move {
        let head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 20000000\r\n\r\n";
        write.write_all(head).await.expect("sends");
        write.write_all(&vec![b'x'; 20_000_000]).await.expect("sends");
        write
    });
    let outcome = finish(&mut read, SHORT * 10).await;
    assert_eq!(outcome.statuses(), [200]);
    assert_eq!(outcome.answers[0].body, b"20000000");
    sending.await.expect("sent");
}

/// Streams without end.
struct Endless;

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        static CHUNK: [u8; 16 * 1024] = [b'x'; 16 * 1024];
        std::task::Poll::Ready(Some(Ok(http_body::Frame::data(bytes::Bytes::from_static(&CHUNK)))))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_dropped() {
    let service = tower::service_fn(|_: Request<Body>| async {
        Ok::<_, std::convert::Infallible>(Response::new(Body::new(Endless)))
    });
    let server = start_with(service, |builder| builder.listener(plain()).limits(long().write_timeout(SHORT)));
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
    let start = Instant::now();
    while server.handle.connections() > 0 || start.elapsed() < Duration::from_millis(100) {
        assert!(start.elapsed() < Duration::from_secs(3), "stays open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(start.elapsed() >= SHORT);
    assert_eq!(server.reasons(), ["slow_reader"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_held_unread_after_its_response_is_ended() {
    let held = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let holding = std::sync::Arc::clone(&held);
    let service = tower::service_fn(move |request: Request<Body>| {
        holding.lock().expect("not poisoned").push(request.into_body());
        std::future::ready(crate::support::once("done"))
    });
    let server = start_with(service, |builder| builder.listener(plain()).limits(long().stream_timeout(SHORT)));
    let mut stream = server.connect().await;
    stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe").await.expect("sends");
    let outcome = finish(&mut stream, PATIENCE).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![200], true));
    let mut body = held.lock().expect("not poisoned").pop().expect("it is held");
    let error = http_body_util::BodyExt::frame(&mut body).await.expect("fails").expect_err("fails");
    assert_eq!(error.kind(), gatewright_core::ErrorKind::RequestBodyTimeout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_takes_long_is_nobodys_fault() {
    let service = tower::service_fn(|_: Request<Body>| async {
        tokio::time::sleep(SHORT * 5).await;
        crate::support::once("at last")
    });
    let limits =
        limits().header_timeout(SHORT).keep_alive_timeout(SHORT).body_timeout(SHORT).write_timeout(SHORT);
    let server = start_with(service, |builder| builder.listener(plain()).limits(limits));
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
    assert_eq!(finish(&mut stream, PATIENCE).await.statuses(), [200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_of_all_kinds_leave_nothing_behind() {
    let limits =
        limits().header_timeout(SHORT).keep_alive_timeout(SHORT).body_timeout(SHORT).write_timeout(SHORT);
    let server = start_with(echo(), |builder| builder.listener(plain()).limits(limits));
    let mut clients = Vec::new();
    for index in 0..200 {
        let mut stream = server.connect().await;
        let bytes: &[u8] = match index % 5 {
            0 => b"",
            1 => b"G",
            2 => b"GET / HTTP/1.1\r\nhost: a\r\n",
            3 => b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhe",
            _ => b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        };
        stream.write_all(bytes).await.expect("sends");
        clients.push(stream);
    }
    tokio::time::sleep(SHORT + Duration::from_millis(700)).await;
    drop(clients);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.handle.connections(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_connection_goes_on_where_it_was() {
    let park = Duration::from_millis(50);
    let server = start(long().park_after(park).keep_alive_timeout(Duration::from_millis(900)));
    let mut stream = server.connect().await;
    for _ in 0..5 {
        stream.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok").await.expect("sends");
        let outcome = finish(&mut stream, park * 4).await;
        assert_eq!((outcome.statuses(), outcome.closed), (vec![200], false));
    }
    // Framing is as strict as before, and a head may come in pieces.
    stream.write_all(b"GET / HT").await.expect("sends");
    tokio::time::sleep(park * 3).await;
    stream.write_all(b"TP/1.1\r\nhost: a\r\n\r\n\n").await.expect("sends");
    let outcome = finish(&mut stream, park * 4).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![200, 400], true));
    drop(stream);
    // The limit is counted from the last response.
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
    let start = Instant::now();
    assert!(finish(&mut stream, PATIENCE).await.closed);
    let after = start.elapsed();
    assert!(after >= Duration::from_millis(850) && after < Duration::from_millis(1900), "{after:?}");
    // A drain and a client that leaves end it at once.
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
    finish(&mut stream, park * 4).await;
    drop(stream);
    tokio::time::sleep(park).await;
    assert_eq!(server.handle.connections(), 0);
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
    finish(&mut stream, park * 4).await;
    let start = Instant::now();
    server.handle.drain(LONG);
    assert!(finish(&mut stream, PATIENCE).await.closed);
    assert!(start.elapsed() < Duration::from_millis(600));
}
