//! A server to test against, and a raw client.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::{Body, Error};
use gatewright_server::{Drained, Limits, Listener, Server, ServerBuilder, ServerHandle};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};
use tower::{Service, util::BoxCloneService};

pub(crate) const LOOPBACK: &str = "127.0.0.1:0";

/// A running server, and what it saw.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    refused: Arc<Mutex<Vec<&'static str>>>,
    pub(crate) serving: JoinHandle<std::io::Result<Drained>>,
    calls: Arc<AtomicUsize>,
}

impl Running {
    /// How often the service was called.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    pub(crate) fn reasons(&self) -> Vec<&'static str> {
        self.refused.lock().expect("not poisoned").clone()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connects")
    }
}

/// Serves `service` on a free port.
pub(crate) fn start_with<S>(service: S, configure: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Running
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Error: Into<gatewright_core::BoxError>,
    S::Future: Send + 'static,
{
    let refused = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&refused);
    let builder = Server::builder().on_refused(move |refused| {
        sink.lock().expect("not poisoned").push(refused.reason());
    });
    let server = configure(builder).bind().expect("binds");
    let (address, handle) = (server.local_addrs()[0], server.handle());
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let service = tower::ServiceExt::map_request(service, move |request: Request<Body>| {
        counter.fetch_add(1, Ordering::SeqCst);
        request
    });
    let serving = tokio::spawn(server.serve(service));
    Running { address, handle, refused, serving, calls }
}

/// Serves [`echo`] on a cleartext listener.
pub(crate) fn start(limits: Limits) -> Running {
    start_with(echo(), |builder| builder.listener(plain()).limits(limits))
}

pub(crate) fn plain() -> Listener {
    Listener::new(LOOPBACK.parse().expect("an address"))
}

/// Answers with the body that it got, the method and path in headers. `/early` answers without reading the body,
/// `/panic` panics, `/error` fails, `/slow` takes a while.
pub(crate) fn echo() -> BoxCloneService<Request<Body>, Response<Body>, Error> {
    BoxCloneService::new(tower::service_fn(|request: Request<Body>| async move {
        let (head, body) = request.into_parts();
        match head.uri.path() {
            "/early" => return Ok(Response::new(Body::once("early"))),
            "/panic" => panic!("as told"),
            "/error" => return Err(Error::from_service("as told")),
            "/slow" => tokio::time::sleep(Duration::from_millis(300)).await,
            _ => {}
        }
        let collected = body.collect().await?;
        let trailers = collected.trailers().map_or(0, |trailers| trailers.len());
        let response = Response::builder()
            .header("x-method", head.method.as_str())
            .header("x-uri", head.uri.to_string())
            .header("x-headers", head.headers.keys().map(|name| name.as_str()).collect::<Vec<_>>().join(","))
            .header("x-trailers", trailers);
        Ok(response.body(Body::once(collected.to_bytes())).expect("a response"))
    }))
}

/// One response, as it stood on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Everything that came on a connection, and whether it ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) answers: Vec<Answer>,
    pub(crate) closed: bool,
}

impl Outcome {
    pub(crate) fn statuses(&self) -> Vec<u16> {
        self.answers.iter().map(|answer| answer.status).collect()
    }
}

/// Sends `bytes` and reads until the connection ends, or nothing comes for a while.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Outcome {
    raw_with(address, bytes, Duration::from_millis(150)).await
}

/// The same with another patience.
pub(crate) async fn raw_with(address: SocketAddr, bytes: &[u8], patience: Duration) -> Outcome {
    let mut stream = TcpStream::connect(address).await.expect("connects");
    // It may be closed while we still send.
    let _ = stream.write_all(bytes).await;
    finish(&mut stream, patience).await
}

/// Reads until the connection ends, or nothing comes for `patience`.
pub(crate) async fn finish(stream: &mut (impl tokio::io::AsyncRead + Unpin), patience: Duration) -> Outcome {
    let mut bytes = Vec::new();
    let closed = loop {
        match timeout(patience, stream.read_buf(&mut bytes)).await {
            Err(_) => break false,
            Ok(Ok(0)) => break true,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => panic!("the response was destroyed: {error}, after {}", bytes.escape_ascii()),
        }
    };
    Outcome { answers: parse(&bytes), closed }
}

/// Takes apart responses framed by Content-Length, and interim ones.
pub(crate) fn parse(mut bytes: &[u8]) -> Vec<Answer> {
    let mut answers = Vec::new();
    while !bytes.is_empty() {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end else { panic!("no head in {}", bytes.escape_ascii()) };
        let head = String::from_utf8(bytes[..end].to_vec()).expect("text");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let mut answer = Answer { status, head, body: Vec::new() };
        bytes = &bytes[end + 4..];
        let length = answer.header("content-length").map_or(0, |length| length.parse().expect("a length"));
        let length = bytes.len().min(length);
        answer.body = bytes[..length].to_vec();
        bytes = &bytes[length..];
        answers.push(answer);
    }
    answers
}

pub(crate) fn limits() -> Limits {
    Limits::default()
}

pub(crate) fn once(text: &'static str) -> Result<Response<Body>, Infallible> {
    Ok(Response::new(Body::once(Bytes::from_static(text.as_bytes()))))
}
