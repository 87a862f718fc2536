//! Upgrades on HTTP/1: only a WebSocket that the service grants becomes a tunnel.

use std::{convert::Infallible, time::Duration};

use crate::support::{finish, limits, parse, plain, start_with};
use gatewright_core::{Body, OnUpgrade};
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";

/// Answers as the path says; a granted upgrade echoes bytes.
async fn upgrading(mut request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    if path == "/late" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if path == "/refuse" {
        let response = Response::builder().status(403).header("content-length", "0");
        return Ok(response.body(Body::empty()).expect("a response"));
    }
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    tokio::spawn(async move {
        let Some(upgrade) = upgrade else { return };
        let Ok(upgraded) = upgrade.await else { return };
        let (mut read, mut write) = tokio::io::split(upgraded);
        let _ = tokio::io::copy(&mut read, &mut write).await;
        let _ = write.shutdown().await;
    });
    let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS).header("upgrade", "websocket");
    Ok(response.header("connection", "upgrade").body(Body::empty()).expect("a response"))
}

fn start(limits: gatewright_server::Limits) -> crate::support::Running {
    start_with(tower::service_fn(upgrading), |builder| builder.listener(plain()).limits(limits))
}

fn ask(path: &str) -> Vec<u8> {
    String::from_utf8_lossy(ASK).replacen('/', path, 1).into_bytes()
}

async fn read_some(stream: &mut tokio::net::TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(2), stream.read(&mut bytes)).await.expect("in time");
    bytes.truncate(read.expect("reads"));
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_granted_upgrade_becomes_a_tunnel_in_both_directions() {
    let server = start(limits());
    let mut stream = server.connect().await;
    stream.write_all(ASK).await.expect("sends");
    let answers = parse(&read_some(&mut stream).await);
    assert_eq!(answers[0].status, 101);
    // Anything may pass, also what would be broken HTTP.
    for bytes in [&b"\x81\x05hello"[..], b"GET / HTTP/9\n\n\0", b"\xff\xff"] {
        stream.write_all(bytes).await.expect("sends");
        assert_eq!(read_some(&mut stream).await, bytes);
    }
    assert_eq!(server.handle.upgraded(), 1);
    stream.shutdown().await.expect("half-closes");
    assert_eq!(read_some(&mut stream).await, b"");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!((server.handle.upgraded(), server.handle.connections()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_sent_before_the_answer_belong_to_the_tunnel_when_it_is_granted() {
    let server = start(limits());
    for path in ["/", "/late"] {
        let mut stream = server.connect().await;
        stream.write_all(&[&ask(path)[..], b"\n\nearly"].concat()).await.expect("sends");
        let mut bytes = read_some(&mut stream).await;
        while !bytes.ends_with(b"early") {
            bytes.extend(read_some(&mut stream).await);
        }
        assert!(bytes.ends_with(b"\r\n\r\n\n\nearly"), "{}", bytes.escape_ascii());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_sent_before_the_answer_are_http_when_it_is_refused() {
    let server = start(limits());
    let mut stream = server.connect().await;
    stream
        .write_all(&[&ask("/refuse")[..], &ask("/refuse"), b"GET /refuse HTTP/1.1\r\nhost: a\n\n"].concat())
        .await
        .expect("sends");
    let outcome = finish(&mut stream, Duration::from_millis(300)).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![403, 403, 400], true));
    assert_eq!(server.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsolicited_101_never_reaches_the_client() {
    let server = start(limits());
    for head in [
        &b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n",
        b"GET / HTTP/1.0\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(&[head, b"not http"].concat()).await.expect("sends");
        let outcome = finish(&mut stream, Duration::from_millis(300)).await;
        assert_eq!((outcome.statuses()[0], outcome.closed), (502, true), "{}", head.escape_ascii());
        assert!(!outcome.statuses().contains(&101));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tunnel_is_bound_by_its_own_idle_limit_alone() {
    let short = Duration::from_millis(200);
    let all = limits().header_timeout(short).keep_alive_timeout(short).body_timeout(short).write_timeout(short);
    let server = start(all.stream_timeout(short * 4));
    let mut stream = server.connect().await;
    stream.write_all(ASK).await.expect("sends");
    read_some(&mut stream).await;
    // It stays for longer than all other limits, and for longer than its own while something moves.
    for _ in 0..4 {
        tokio::time::sleep(short * 2).await;
        stream.write_all(b"x").await.expect("sends");
        assert_eq!(read_some(&mut stream).await, b"x");
    }
    let start = std::time::Instant::now();
    let ended = stream.read(&mut [0; 16]).await;
    assert!(matches!(ended, Ok(0) | Err(_)));
    assert!(start.elapsed() >= short * 3 && start.elapsed() < short * 4 + Duration::from_secs(1));
}
