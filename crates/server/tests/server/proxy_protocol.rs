//! The PROXY protocol: believed from trusted peers, demanded of them, and bad HTTP from others.

use std::{convert::Infallible, time::Duration};

use crate::support::{Running, finish, limits, plain, raw, start_with};
use gatewright_core::{Body, RequestRecord};
use http::{Request, Response};
use tokio::io::AsyncWriteExt;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const V1: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n";

/// Answers with the peer and the local address.
async fn addresses(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let record = RequestRecord::of(request.extensions()).expect("a record");
    let connection = record.connection().expect("a connection");
    Ok(Response::new(Body::once(format!("{} {}", connection.peer(), connection.local()))))
}

fn start(from: &str) -> Running {
    let network = from.parse().expect("a network");
    start_with(tower::service_fn(addresses), |builder| {
        let limits = limits().header_timeout(Duration::from_millis(300));
        builder.listener(plain().proxy_protocol([network])).limits(limits)
    })
}

fn v2() -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10".to_vec();
    header.extend([192, 0, 2, 1, 198, 51, 100, 1, 0x12, 0x67, 1, 187, 4, 0, 1, 0]);
    header
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_peer_is_believed() {
    let server = start("127.0.0.0/8");
    for header in [V1.to_vec(), v2()] {
        let outcome = raw(server.address, &[&header[..], GET, GET].concat()).await;
        assert_eq!(outcome.statuses(), [200, 200]);
        for answer in outcome.answers {
            assert_eq!(answer.body, b"192.0.2.1:4711 198.51.100.1:443");
        }
        // Byte by byte as well.
        let mut stream = server.connect().await;
        for byte in header.chunks(1).chain(GET.chunks(1)) {
            stream.write_all(byte).await.expect("sends");
            tokio::task::yield_now().await;
        }
        assert_eq!(finish(&mut stream, Duration::from_millis(200)).await.statuses(), [200]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_health_check_of_the_proxy_itself_keeps_its_address() {
    let server = start("127.0.0.1");
    for header in [&b"PROXY UNKNOWN\r\n"[..], b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"] {
        let outcome = raw(server.address, &[header, GET].concat()).await;
        assert_eq!(outcome.statuses(), [200]);
        let text = String::from_utf8(outcome.answers[0].body.clone()).expect("text");
        assert!(text.starts_with("127.0.0.1:") && text.ends_with(&server.address.to_string()), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_peer_must_send_a_header() {
    let server = start("127.0.0.0/8");
    for bytes in [GET, b"PROXY TCP4 192.0.2.1\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c            "] {
        let outcome = raw(server.address, bytes).await;
        assert!(outcome.answers.is_empty() && outcome.closed, "{}", bytes.escape_ascii());
    }
    assert_eq!(server.reasons(), ["bad_proxy_header"; 3]);
    assert_eq!(server.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_header_is_closed_at_the_limit() {
    let server = start("127.0.0.0/8");
    for half in [&V1[..10], &v2()[..14], b""] {
        let mut stream = server.connect().await;
        stream.write_all(half).await.expect("sends");
        let start = std::time::Instant::now();
        let outcome = finish(&mut stream, Duration::from_secs(3)).await;
        assert!(outcome.closed && outcome.answers.is_empty());
        assert!(start.elapsed() < Duration::from_millis(1300));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_peer_is_not_believed() {
    let server = start("192.0.2.0/24");
    for header in [V1.to_vec(), v2()] {
        let outcome = raw(server.address, &[&header[..], GET].concat()).await;
        assert_eq!((outcome.statuses(), outcome.closed), (vec![400], true));
    }
    assert_eq!(server.calls(), 0);
    assert_eq!(raw(server.address, GET).await.statuses(), [200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_may_follow_the_header() {
    use tokio::io::AsyncReadExt;
    let server = start("127.0.0.0/8");
    let mut stream = server.connect().await;
    stream
        .write_all(&[V1, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"].concat())
        .await
        .expect("sends");
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.expect("reads");
    assert_eq!(head[3], 4, "SETTINGS come first");
}
