//! Requests with a short body that are sent again with it, over real sockets.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::{Body, BoxError, Error, ErrorKind};
use gatewright_proxy::{Protocol, ProxyBody, ProxyService, Retries, Upstream};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
};
use tower::ServiceExt;

mod support;

use support::origin;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What an origin does with a request.
#[derive(Clone, Copy)]
enum Does {
    /// Reads all of it and answers.
    Answers(&'static str),
    /// Closes when it has read so many bytes of the body.
    ClosesAfter(usize),
    /// Reads all of it and says nothing.
    SaysNothing,
}

/// An origin that does this on the first connection and then that. It tells the bodies that it has read.
struct Origin {
    address: String,
    requests: Arc<AtomicUsize>,
    bodies: mpsc::UnboundedReceiver<Vec<u8>>,
}

impl Origin {
    async fn new(first: Does, then: Does) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let (tell, bodies) = mpsc::unbounded_channel();
        let count = Arc::clone(&requests);
        let address = origin(move |stream| {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let tell = tell.clone();
            async move {
                let body = serve(stream, if number == 0 { first } else { then }).await;
                let _ = tell.send(body);
            }
        })
        .await;
        Self { address, requests, bodies }
    }

    fn proxy(&self, retries: Retries) -> ProxyService {
        let builder = ProxyService::builder().target(&self.address).retries(retries);
        builder.timeout(Duration::from_millis(500)).build().expect("builds")
    }

    /// The status of the answer, and how often the request arrived.
    async fn asked(&self, retries: Retries, method: &str, body: Body) -> (Result<u16, ErrorKind>, usize) {
        let outcome = send(self.proxy(retries), method, body).await;
        let outcome = outcome.map(|response| response.status().as_u16()).map_err(|error| error.kind());
        (outcome, self.requests.load(Ordering::SeqCst))
    }

    /// The bodies that came, in the order in which they came.
    fn bodies(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.bodies.try_recv().ok()).collect()
    }
}

async fn send(proxy: ProxyService, method: &str, body: Body) -> Result<Response<ProxyBody>, Error> {
    let request = Request::builder().method(method).uri("/").header("host", "a");
    proxy.oneshot(request.body(body).expect("a request")).await
}

/// Reads a request. Gives the bytes of its body, chunks and trailers as they are.
async fn serve(mut stream: TcpStream, does: Does) -> Vec<u8> {
    let (mut seen, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    let body = loop {
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { return Vec::new() };
        seen.extend_from_slice(&buffer[..read]);
        if let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&seen[..body]).into_owned();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length = length.map(|length| length.parse::<usize>().expect("a length"));
    let is_whole = |body: &[u8]| match length {
        Some(length) => body.len() >= length,
        None => body.starts_with(b"0\r\n") || body.ends_with(b"\r\n\r\n"),
    };
    while !is_whole(&seen[body..]) {
        if matches!(does, Does::ClosesAfter(bytes) if seen.len() - body >= bytes) {
            return seen.split_off(body);
        }
        let Ok(read @ 1..) = stream.read(&mut buffer).await else { break };
        seen.extend_from_slice(&buffer[..read]);
    }
    match does {
        Does::Answers(response) => _ = stream.write_all(response.as_bytes()).await,
        Does::ClosesAfter(_) => {}
        Does::SaysNothing => _ = stream.read(&mut buffer).await,
    }
    seen.split_off(body)
}

/// A body of these parts, which a client sends one after another with a pause before each.
struct Parts(VecDeque<Result<Frame<Bytes>, BoxError>>, Pin<Box<tokio::time::Sleep>>);

const PAUSE: Duration = Duration::from_millis(20);

impl Parts {
    fn data(parts: impl IntoIterator<Item = Result<Bytes, BoxError>>) -> Body {
        Self::frames(parts.into_iter().map(|part| part.map(Frame::data)))
    }

    fn frames(frames: impl IntoIterator<Item = Result<Frame<Bytes>, BoxError>>) -> Body {
        Body::new(Self(frames.into_iter().collect(), Box::pin(tokio::time::sleep(PAUSE))))
    }
}

impl http_body::Body for Parts {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        std::task::ready!(self.1.as_mut().poll(cx));
        self.1.as_mut().reset(tokio::time::Instant::now() + PAUSE);
        Poll::Ready(self.0.pop_front())
    }
}

/// A body whose parts come from a channel.
struct Channel(mpsc::Receiver<&'static str>);

impl http_body::Body for Channel {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0.poll_recv(cx).map(|part| part.map(|part| Ok(Frame::data(Bytes::from(part)))))
    }
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| at as u8).collect()
}

#[tokio::test]
async fn a_short_body_is_sent_again_whole_whatever_went_wrong() {
    let retries = || Retries::new(1).on_status(503).on_reset().on_timeout();
    for method in ["PUT", "DELETE"] {
        for first in [Does::Answers(BUSY), Does::ClosesAfter(1), Does::SaysNothing] {
            for length in [1, 1000, 64 << 10] {
                let mut origin = Origin::new(first, Does::Answers(OK)).await;
                let body = Body::once(bytes(length));
                assert_eq!(origin.asked(retries(), method, body).await, (Ok(200), 2), "{method} {length}");
                assert_eq!(origin.bodies().last(), Some(&bytes(length)), "{method} {length}");
            }
        }
    }
}

#[tokio::test]
async fn beyond_the_cap_a_body_is_sent_once() {
    let retries = |cap| Retries::new(1).on_status(503).on_reset().keep_body(cap);
    let origin = Origin::new(Does::Answers(BUSY), Does::Answers(OK)).await;
    assert_eq!(origin.asked(retries(1000), "PUT", Body::once(bytes(1001))).await, (Ok(503), 1));
    // Nobody knows before how long it will be.
    let origin = Origin::new(Does::Answers(BUSY), Does::Answers(OK)).await;
    let parts = || [Ok(Bytes::from(bytes(600))), Ok(Bytes::from(bytes(401)))];
    assert_eq!(origin.asked(retries(1000), "PUT", Parts::data(parts())).await, (Ok(503), 1));
    let origin = Origin::new(Does::Answers(BUSY), Does::Answers(OK)).await;
    assert_eq!(origin.asked(retries(1001), "PUT", Parts::data(parts())).await, (Ok(200), 2));
}

#[tokio::test]
async fn no_body_is_kept_of_what_may_not_be_carried_out_twice_or_without_retries() {
    for (retries, method) in [
        (Retries::new(1).on_status(503), "POST"),
        (Retries::new(1).on_status(503), "PATCH"),
        (Retries::new(0).on_status(503), "PUT"),
        (Retries::new(1).on_status(503).keep_body(0), "PUT"),
    ] {
        let origin = Origin::new(Does::Answers(BUSY), Does::Answers(OK)).await;
        assert_eq!(origin.asked(retries, method, Body::once("all")).await, (Ok(503), 1), "{method}");
    }
}

#[tokio::test]
async fn an_upstream_that_fails_after_half_of_the_body_costs_no_byte() {
    let mut origin = Origin::new(Does::ClosesAfter(500), Does::Answers(OK)).await;
    let halves = Parts::data([Ok(Bytes::from(bytes(500))), Ok(Bytes::from(bytes(500)))]);
    let outcome = origin.asked(Retries::new(1).on_reset(), "PUT", halves).await;
    assert_eq!(outcome, (Ok(200), 2));
    let bodies = origin.bodies();
    let chunked = bodies.last().expect("a body");
    // The bytes that had left and those that the client sends afterwards, each once.
    let mut whole = Vec::new();
    let mut rest = &chunked[..];
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size =
            usize::from_str_radix(std::str::from_utf8(&rest[..end]).expect("a size"), 16).expect("a size");
        whole.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    assert_eq!(whole, [bytes(500), bytes(500)].concat());
}

#[tokio::test]
async fn trailers_are_sent_again() {
    let mut origin = Origin::new(Does::Answers(BUSY), Does::Answers(OK)).await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().expect("a value"));
    let body = Parts::frames([Ok(Frame::data(Bytes::from("all"))), Ok(Frame::trailers(trailers))]);
    let request = Request::put("/").header("host", "a").header("trailer", "x-sum");
    let proxy = origin.proxy(Retries::new(1).on_status(503));
    let response = proxy.oneshot(request.body(body).expect("a request")).await.expect("answers");
    assert_eq!(response.status(), 200);
    let bodies = origin.bodies();
    assert_eq!(bodies.len(), 2);
    for body in bodies {
        assert_eq!(String::from_utf8_lossy(&body), "3\r\nall\r\n0\r\nx-sum: 7\r\n\r\n");
    }
}

#[tokio::test]
async fn a_client_that_breaks_off_ends_its_request() {
    let origin = Origin::new(Does::ClosesAfter(usize::MAX), Does::Answers(OK)).await;
    let aborted = Parts::data([Ok(Bytes::from("half")), Err("the client has gone".into())]);
    let outcome = origin.asked(Retries::new(3).on_reset().on_timeout(), "PUT", aborted).await;
    assert_eq!(outcome, (Err(ErrorKind::RequestBody), 1));
    // In its second attempt, too.
    let origin = Origin::new(Does::ClosesAfter(4), Does::Answers(OK)).await;
    let aborted = Parts::data([Ok(Bytes::from("half")), Err("the client has gone".into())]);
    let outcome = origin.asked(Retries::new(3).on_reset().on_timeout(), "PUT", aborted).await;
    assert!(matches!(outcome, (Err(ErrorKind::RequestBody), 1 | 2)), "{outcome:?}");
}

#[tokio::test]
async fn a_part_goes_on_before_the_next_one_comes() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let address = origin(move |mut stream| {
        let tell = tell.clone();
        async move {
            let mut buffer = [0; 1024];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                let _ = tell.send(String::from_utf8_lossy(&buffer[..read]).into_owned());
            }
        }
    })
    .await;
    let (sender, receiver) = mpsc::channel(1);
    let retries = Retries::new(1).on_reset();
    let proxy = ProxyService::builder().target(address).retries(retries).build().expect("builds");
    tokio::spawn(send(proxy, "PUT", Body::new(Channel(receiver))));
    for part in ["first", "second", "third"] {
        sender.send(part).await.expect("is taken");
        let seen = async {
            loop {
                let seen = told.recv().await.expect("the origin reads");
                if seen.contains(part) {
                    break;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(20), seen).await.expect("it goes on");
    }
}

#[tokio::test]
async fn a_request_whose_idle_connection_closes_goes_again_with_its_body() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let address = origin(move |mut stream| {
        let is_first = count.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            let mut buffer = [0; 1024];
            let mut answers = 0;
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                // The first connection takes the second request, and closes.
                if !buffer[..read].ends_with(b"all of it") || (is_first && answers == 1) {
                    return;
                }
                answers += 1;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
            }
        }
    })
    .await;
    // Nothing that they name happens.
    let retries = Retries::new(1).on_status(500);
    let proxy = ProxyService::builder().target(address).retries(retries).build().expect("builds");
    for connections_by_then in [1, 2] {
        let response = send(proxy.clone(), "PUT", Body::once("all of it")).await.expect("answers");
        assert_eq!(response.status(), 200);
        response.into_body().collect().await.expect("a body");
        assert_eq!(connections.load(Ordering::SeqCst), connections_by_then);
    }
}

#[tokio::test]
async fn over_http2_a_body_is_sent_again_too() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let address = origin(move |stream| {
        let tell = tell.clone();
        async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            let mut streams = 0;
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                streams += 1;
                if streams == 1 {
                    // Before the body has come.
                    let busy = Response::builder().status(503).body(()).expect("a response");
                    respond.send_response(busy, true).expect("is open");
                    continue;
                }
                let tell = tell.clone();
                tokio::spawn(async move {
                    let (mut body, mut whole) = (request.into_body(), Vec::new());
                    while let Some(Ok(data)) = body.data().await {
                        let _ = body.flow_control().release_capacity(data.len());
                        whole.extend_from_slice(&data);
                    }
                    let trailers = body.trailers().await.expect("is open");
                    let _ = tell.send((whole, trailers));
                    respond.send_response(Response::new(()), true).expect("is open");
                });
            }
        }
    })
    .await;
    let upstream =
        Upstream::builder("origin").target(address).protocol(Protocol::Http2).build().expect("builds");
    let retries = Retries::new(1).on_status(503);
    let proxy = ProxyService::builder().upstream(upstream).retries(retries).build().expect("builds");
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "7".parse().expect("a value"));
    let parts = [Frame::data(Bytes::from(bytes(500))), Frame::data(Bytes::from(bytes(700)))];
    let body = Parts::frames(parts.into_iter().chain([Frame::trailers(trailers.clone())]).map(Ok));
    assert_eq!(send(proxy, "PUT", body).await.expect("answers").status(), 200);
    let (whole, seen) = told.recv().await.expect("it came");
    assert_eq!((whole, seen), ([bytes(500), bytes(700)].concat(), Some(trailers)));
}
