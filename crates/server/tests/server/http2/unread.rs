//! Responses that their client leaves unread.
//!
//! The client opens its windows as far as it likes, so that what it gets, and when, is known frame by frame.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use gatewright_core::Body;
use gatewright_server::Limits;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::*;
use crate::support::{limits, plain, start_with};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END: u8 = 1;
const CANCEL: u32 = 8;
const LARGE: usize = 60 * 1024;
/// Longer than anything here takes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);

fn only_write() -> Limits {
    limits()
        .header_timeout(PATIENCE)
        .keep_alive_timeout(PATIENCE)
        .body_timeout(PATIENCE)
        .stream_timeout(PATIENCE)
        .write_timeout(SHORT)
}

/// Never ends, and counts what is taken of it.
struct Endless(Arc<AtomicUsize>);

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(&[b'x'; 8192])))))
    }
}

fn serve(limits: Limits) -> (Running, Arc<AtomicUsize>) {
    let taken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&taken);
    let service = tower::service_fn(move |request: Request<Body>| {
        let counter = Arc::clone(&counter);
        async move {
            let large = || vec![b'x'; LARGE];
            let trailers =
                || HeaderMap::from_iter([("x-sum".parse().expect("a name"), "1".parse().expect("a value"))]);
            let body = match request.uri().path() {
                "/0" => Body::empty(),
                "/1" => Body::once("x"),
                "/large" => Body::once(large()),
                "/chunks" => Body::new(OneChunk(Some(large().into()))),
                "/trailers" => Body::new(
                    Full::new(Bytes::from(large())).with_trailers(async move { Some(Ok(trailers())) }),
                ),
                "/endless" => Body::new(Endless(counter)),
                other => panic!("no such path: {other}"),
            };
            Ok::<_, Infallible>(Response::new(body))
        }
    });
    (start_with(service, |builder| builder.listener(plain()).limits(limits)), taken)
}

/// One chunk, of which nobody knows that it is the last.
struct OneChunk(Option<Bytes>);

impl http_body::Body for OneChunk {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|chunk| Ok(http_body::Frame::data(chunk))))
    }
}

/// One frame that came.
#[derive(Debug)]
struct Received {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Received {
    fn ends(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END != 0
    }

    fn reset_code(&self) -> Option<u32> {
        (self.kind == RST_STREAM).then(|| u32::from_be_bytes(self.payload[..4].try_into().expect("four bytes")))
    }
}

/// A client that says itself how much it takes.
struct Raw {
    socket: TcpStream,
    bytes: Vec<u8>,
}

impl Raw {
    async fn connect(server: &Running, window: u32) -> Self {
        let mut socket = server.connect().await;
        let settings = frame(SETTINGS, 0, 0, &[&[0, 4][..], &window.to_be_bytes()].concat());
        socket.write_all(&[PREFACE, &settings].concat()).await.expect("sends");
        Self { socket, bytes: Vec::new() }
    }

    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.socket.write_all(&frame(kind, flags, stream, payload)).await.expect("sends");
    }

    async fn request(&mut self, stream: u32, method: &str, path: &str) {
        let fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", "a")];
        let block: Vec<u8> = fields.iter().flat_map(|(name, value)| literal(name, value)).collect();
        self.send(HEADERS, 5, stream, &block).await;
    }

    async fn open(&mut self, stream: u32, bytes: u32) {
        self.send(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes()).await;
    }

    /// The next frame; `None` when nothing more comes within `patience`, or the connection has ended.
    async fn next_within(&mut self, patience: Duration) -> Option<Received> {
        loop {
            if let Some(head) = self.bytes.first_chunk::<9>() {
                let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
                if let Some(payload) = self.bytes.get(9..9 + length) {
                    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                    let received =
                        Received { kind: head[3], flags: head[4], stream, payload: payload.to_vec() };
                    self.bytes.drain(..9 + length);
                    return Some(received);
                }
            }
            match timeout(patience, self.socket.read_buf(&mut self.bytes)).await {
                Ok(Ok(read)) if read > 0 => {}
                _ => return None,
            }
        }
    }

    async fn next(&mut self) -> Received {
        self.next_within(PATIENCE).await.expect("a frame")
    }

    /// Reads until a stream ends or is reset. Gives the bytes of its body, and the code of the reset.
    async fn outcome(&mut self, stream: u32) -> (usize, Option<u32>) {
        let mut length = 0;
        loop {
            let frame = self.next().await;
            if frame.stream != stream {
                assert_ne!(frame.kind, GOAWAY, "the connection ends: {frame:?}");
                continue;
            }
            if frame.kind == DATA {
                length += frame.payload.len();
            }
            if frame.ends() || frame.kind == RST_STREAM {
                return (length, frame.reset_code());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_that_is_not_taken_is_reset_at_the_limit_and_alone() {
    let (server, _) = serve(only_write());
    for window in [0, 1, 1000] {
        let mut client = Raw::connect(&server, window).await;
        let mut stream = 1;
        for (method, path, length) in [
            ("GET", "/0", 0),
            ("HEAD", "/large", 0),
            ("GET", "/1", 1),
            ("GET", "/large", LARGE),
            ("GET", "/chunks", LARGE),
            ("GET", "/trailers", LARGE),
            ("GET", "/endless", usize::MAX),
            // The connection is as good as before.
            ("GET", "/0", 0),
        ] {
            let start = Instant::now();
            client.request(stream, method, path).await;
            let (got, reset) = client.outcome(stream).await;
            let granted = usize::try_from(window).expect("small");
            if length <= granted {
                assert_eq!((got, reset), (length, None), "{method} {path}, window {window}");
            } else {
                assert_eq!((got, reset), (granted, Some(CANCEL)), "{method} {path}, window {window}");
                assert!(start.elapsed() >= SHORT, "{method} {path}, window {window}: too early");
            }
            stream += 2;
        }
    }
    assert!(server.reasons().is_empty(), "{:?}", server.reasons());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_now_and_then_does_not_keep_a_stream() {
    let (server, _) = serve(only_write());
    for path in ["/large", "/chunks", "/trailers", "/endless"] {
        let mut client = Raw::connect(&server, 0).await;
        client.request(1, "GET", path).await;
        let start = Instant::now();
        let (mut bytes, mut reset) = (0, None);
        while reset.is_none() {
            assert!(start.elapsed() < PATIENCE, "{path}: kept by {bytes} single bytes");
            client.open(1, 1).await;
            tokio::time::sleep(SHORT / 10).await;
            while let Some(frame) = client.next_within(Duration::from_millis(1)).await {
                bytes += if frame.kind == DATA { frame.payload.len() } else { 0 };
                reset = reset.or(frame.reset_code());
            }
        }
        assert!(bytes > 1, "{path}: not a byte was given");
        assert_eq!(reset, Some(CANCEL), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_window_that_stays_shut_resets_each_stream() {
    let (server, _) = serve(only_write());
    let mut client = Raw::connect(&server, 1 << 20).await;
    // The first takes most of the connection's 65,535 bytes.
    client.request(1, "GET", "/large").await;
    assert_eq!(client.outcome(1).await, (LARGE, None));
    for stream in [3, 5, 7] {
        client.request(stream, "GET", "/large").await;
    }
    let mut reset = Vec::new();
    while reset.len() < 3 {
        let frame = client.next().await;
        assert!(!frame.ends(), "{frame:?}");
        if frame.kind == RST_STREAM {
            reset.push(frame.stream);
        }
    }
    reset.sort_unstable();
    assert_eq!(reset, [3, 5, 7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_streams_as_are_allowed_are_held_and_no_more() {
    let (server, _) = serve(only_write().max_streams(20).write_timeout(SHORT * 4));
    let mut client = Raw::connect(&server, 1).await;
    let mut last = 0;
    // Each round asks for more than are allowed; all of it ends, whatever it is that ends it.
    for _ in 0..3 {
        let streams: Vec<u32> = (0..60).map(|index| last + 1 + index * 2).collect();
        last = streams[59] + 1;
        for stream in &streams {
            client.request(*stream, "GET", "/large").await;
        }
        let (mut held, mut refused) = (0, 0);
        while held + refused < streams.len() {
            let frame = client.next().await;
            match frame.reset_code() {
                Some(CANCEL) => held += 1,
                Some(7) => refused += 1,
                Some(other) => panic!("reset with {other}"),
                None => assert!(!frame.ends() && frame.kind != GOAWAY, "{frame:?}"),
            }
        }
        assert_eq!((held, refused), (20, 40));
    }
    client.request(last + 1, "GET", "/1").await;
    assert_eq!(client.outcome(last + 1).await, (1, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_taken_back_ends_the_connection() {
    let (server, taken) = serve(only_write());
    let most = 0x7fff_ffff;
    let mut client = Raw::connect(&server, most).await;
    client.open(0, most - 65_535).await;
    client.request(1, "GET", "/endless").await;
    // Nothing is read until the socket takes no more.
    let mut before = 0;
    loop {
        tokio::time::sleep(SHORT / 6).await;
        let now = taken.load(Ordering::SeqCst);
        if now > 0 && now == before {
            break;
        }
        before = now;
    }
    for stream in [3, 5, 7] {
        client.request(stream, "GET", "/large").await;
    }
    while server.calls() < 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Their responses are h2's by now, since the windows were open. They lie behind what the socket does not take.
    tokio::time::sleep(Duration::from_millis(20)).await;
    client.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]).await;
    client.send(RST_STREAM, 0, 1, &[0, 0, 0, 8]).await;
    let mut ended = [3, 5, 7].map(|stream| (stream, false));
    let mut goaway = None;
    while let Some(frame) = client.next_within(PATIENCE).await {
        for (stream, ended) in &mut ended {
            *ended |= *stream == frame.stream && (frame.ends() || frame.kind == RST_STREAM);
        }
        if frame.kind == GOAWAY {
            goaway = Some(frame.payload[7]);
        }
        if ended.iter().all(|(_, ended)| *ended) {
            break;
        }
    }
    // Each is either whole, or reset, or gone with its connection.
    let all_ended = ended.iter().all(|(_, ended)| *ended);
    assert!(all_ended || goaway == Some(11), "{ended:?}, GOAWAY {goaway:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_slow_but_reads_gets_everything() {
    let limit = SHORT * 4;
    let (server, _) = serve(only_write().write_timeout(limit));
    for path in ["/large", "/chunks", "/trailers"] {
        let mut client = Raw::connect(&server, 4096).await;
        client.request(1, "GET", path).await;
        let (mut length, start) = (0, Instant::now());
        loop {
            let frame = client.next().await;
            assert_eq!(frame.reset_code(), None, "{path}: cut after {length} bytes");
            if frame.ends() {
                length += if frame.kind == DATA { frame.payload.len() } else { 0 };
                break;
            }
            if frame.kind == DATA {
                length += frame.payload.len();
                tokio::time::sleep(limit / 8).await;
                let taken = u32::try_from(frame.payload.len()).expect("small");
                client.open(1, taken).await;
                client.open(0, taken).await;
            }
        }
        assert_eq!(length, LARGE, "{path}");
        assert!(start.elapsed() > limit, "{path}: it was not slow");
    }
}
