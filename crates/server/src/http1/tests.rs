//! However bytes come and go, the requests and the responses are the same.

mod expected;
mod model;
mod plan;
mod reader;
mod regressions;
mod run;
mod service;
mod socket;
mod strategy;

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use gatewright_core::{Body, ConnectionInfo};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection::{Connection, End};
use crate::{
    Limits,
    connection::{Accepted, Activity, Shared},
    drain::Connections,
    refused::OnRefused,
};

/// What no request may look like, so that the connection ends where everything before has been answered.
const LAST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// Gives what it is to be read in pieces of these sizes and takes what is written in pieces of those, each time after
/// it has let its task wait once.
struct Pieces {
    input: VecDeque<u8>,
    reads: Sizes,
    output: Arc<Mutex<Vec<u8>>>,
    writes: Sizes,
    vectored: bool,
}

/// Sizes that repeat.
#[derive(Debug, Clone)]
struct Sizes {
    sizes: Vec<usize>,
    next: usize,
    waits: bool,
}

impl Sizes {
    fn new(sizes: Vec<usize>) -> Self {
        Self { sizes, next: 0, waits: false }
    }

    fn whole() -> Self {
        Self::new(vec![usize::MAX])
    }

    fn poll(&mut self, cx: &Context<'_>) -> Poll<usize> {
        if self.sizes != [usize::MAX] {
            self.waits = !self.waits;
            if self.waits {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        self.next = (self.next + 1) % self.sizes.len();
        Poll::Ready(self.sizes[self.next])
    }
}

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.input.is_empty() {
            return Poll::Pending;
        }
        let size = std::task::ready!(self.reads.poll(cx)).min(buf.remaining()).min(self.input.len());
        let piece: Vec<u8> = self.input.drain(..size).collect();
        buf.put_slice(&piece);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let size = std::task::ready!(self.writes.poll(cx));
        let mut bytes: Vec<u8> = bufs.iter().flat_map(|slice| slice.iter().copied()).collect();
        bytes.truncate(size);
        self.output.lock().expect("not poisoned").extend_from_slice(&bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Frames of unknown total size.
struct Frames(VecDeque<Bytes>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|data| Ok(Frame::data(data))))
    }
}

/// Tells of the request in the response, which has a length or comes in chunks, small and large.
async fn tell(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let collected = body.collect().await.expect("a whole body");
    let trailers = format!("{:?}", collected.trailers());
    let body = collected.to_bytes();
    tokio::task::yield_now().await;
    let told = format!("{} {} {:?} {trailers} {body:?}", head.method, head.uri, head.headers);
    let length = body.len();
    let body = match length % 3 {
        0 => Body::once(told),
        1 => Body::new(Frames([Bytes::from(told), Bytes::from(vec![b'x'; 9000]), body].into())),
        _ => Body::new(Frames([Bytes::from(vec![b'y'; 5000]), Bytes::from(vec![b'z'; 40_000])].into())),
    };
    Ok(Response::builder().header("date", "now").body(body).expect("a response"))
}

/// Any valid message.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let name = "x-[a-zA-Z0-9-]{1,12}";
    let value = "[ -~\t]{0,24}";
    let fields = prop::collection::vec((name, value), 0..6);
    let chunks = prop::collection::vec(
        (prop::collection::vec(any::<u8>(), 1..40), "(;[a-z]{1,5}(=[a-z]{1,5})?)?"),
        0..5,
    );
    let body = prop_oneof![
        Just(None),
        prop::collection::vec(any::<u8>(), 0..80).prop_map(|body| Some((body, None))),
        (chunks, prop::collection::vec(("x-[a-z]{1,8}", "[a-z ]{0,9}"), 0..3))
            .prop_map(|(chunks, trailers)| Some((Vec::new(), Some((chunks, trailers))))),
    ];
    let method = prop_oneof![Just("GET"), Just("POST"), Just("PURGE"), Just("m-search")];
    (method, "/[a-z0-9/%?=&.{}\\[\\]|~-]{0,30}", fields, body, any::<bool>()).prop_map(
        |(method, target, fields, body, blank)| {
            let mut bytes = Vec::new();
            if blank {
                bytes.extend(b"\r\n");
            }
            bytes.extend(format!("{method} {target} HTTP/1.1\r\nhost: a.example\r\n").into_bytes());
            for (name, value) in fields {
                bytes.extend(format!("{name}:{value}\r\n").into_bytes());
            }
            match body {
                None => bytes.extend(b"\r\n"),
                Some((body, None)) => {
                    bytes.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
                    bytes.extend(body);
                }
                Some((_, Some((chunks, trailers)))) => {
                    bytes.extend(b"transfer-encoding: chunked\r\n\r\n");
                    for (chunk, extension) in chunks {
                        bytes.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
                        bytes.extend(chunk);
                        bytes.extend(b"\r\n");
                    }
                    bytes.extend(b"0\r\n");
                    for (name, value) in trailers {
                        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
                    }
                    bytes.extend(b"\r\n");
                }
            }
            bytes
        },
    )
}

/// What the connection writes when this is what it reads.
fn exchange(messages: &[Vec<u8>], reads: Sizes, writes: Sizes, vectored: bool) -> Vec<u8> {
    let output = Arc::new(Mutex::new(Vec::new()));
    let input = messages.iter().flatten().chain(LAST).copied().collect();
    let pieces = Pieces { input, reads, output: Arc::clone(&output), writes, vectored };
    let shared = Shared {
        limits: Limits::default(),
        connections: Arc::new(Connections::new()),
        on_refused: OnRefused::default(),
    };
    let address = ([127, 0, 0, 1], 1).into();
    let accepted = Accepted { info: ConnectionInfo::new(address, address), host_check: None };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let service = tower::service_fn(tell);
        let activity = Arc::new(Activity::new());
        let mut connection = Connection::new(pieces, activity, service, accepted, Arc::new(shared));
        let end = poll_fn(|cx| connection.poll(cx)).await;
        assert!(matches!(end, End::Refused(..)), "it ends with the last message");
        assert_eq!(connection.requests(), messages.len() as u64);
    });
    drop(runtime);
    Arc::into_inner(output).expect("nobody else holds it").into_inner().expect("not poisoned")
}

fn messages() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(message(), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn requests_are_the_same_however_their_bytes_come(
        messages in messages(),
        reads in prop::collection::vec(1..200_usize, 1..12),
    ) {
        let at_once = exchange(&messages, Sizes::whole(), Sizes::whole(), true);
        let in_pieces = exchange(&messages, Sizes::new(reads), Sizes::whole(), true);
        prop_assert_eq!(at_once.escape_ascii().to_string(), in_pieces.escape_ascii().to_string());
    }

    #[test]
    fn responses_are_the_same_however_their_bytes_go(
        messages in messages(),
        writes in prop::collection::vec(prop_oneof![1..50_usize, 1000..20_000_usize], 1..12),
        vectored in any::<bool>(),
    ) {
        let at_once = exchange(&messages, Sizes::whole(), Sizes::whole(), true);
        let in_pieces = exchange(&messages, Sizes::whole(), Sizes::new(writes), vectored);
        prop_assert!(at_once == in_pieces, "other bytes");
    }
}
