//! Slow clients of each kind: closed at their limit, while good requests go on.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use harness::{Ca, Frame, Gateway, Origin, RawClient, Socket, Step, eventually, flag, kind};
use tokio::{io::AsyncWriteExt, task::JoinHandle};

/// Every limit of the gateway under test.
const LIMIT: Duration = Duration::from_secs(2);

/// Files that a gateway may open and keep meanwhile: the good client's, and idle connections to the origin.
const SLACK: usize = 24;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

type Opening = Pin<Box<dyn Future<Output = io::Result<Held>> + Send>>;

/// Our end of a connection, open for as long as this lives.
enum Held {
    Silent { _socket: Socket },
    Dripping(JoinHandle<()>),
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Self::Dripping(task) = self {
            task.abort();
        }
    }
}

/// A way to be slow: what a client sends before it falls silent.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    tls: bool,
    open: fn(SocketAddr) -> Opening,
}

const fn kind(name: &'static str, open: fn(SocketAddr) -> Opening) -> Kind {
    Kind { name, tls: false, open }
}

const fn tls_kind(name: &'static str, open: fn(SocketAddr) -> Opening) -> Kind {
    Kind { name, tls: true, open }
}

const KINDS: [Kind; 16] = [
    kind("silent", |to| Box::pin(sending(to, vec![]))),
    kind("a head that stops", |to| Box::pin(sending(to, b"GET / HTTP/1.1\r\nHost: x\r\nA".to_vec()))),
    kind("a head that drips", |to| Box::pin(dripping(to))),
    kind("idle after a response", |to| Box::pin(after_a_response(to, b""))),
    kind("a second head that stops", |to| Box::pin(after_a_response(to, b"GET / HT"))),
    kind("a body that stops", |to| Box::pin(sending(to, post("Content-Length: 9\r\n\r\nab")))),
    kind("a chunk that stops", |to| Box::pin(sending(to, post("Transfer-Encoding: chunked\r\n\r\n5\r\nab")))),
    kind("a reader that does not read", |to| {
        Box::pin(sending(to, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()))
    }),
    tls_kind("silent where TLS is spoken", |to| Box::pin(sending(to, vec![]))),
    // The record announces 512 bytes and brings three.
    tls_kind("half a TLS handshake", |to| Box::pin(sending(to, vec![0x16, 3, 1, 2, 0, 1, 0, 1]))),
    kind("half an HTTP/2 preface", |to| Box::pin(sending(to, PREFACE[..18].to_vec()))),
    kind("a preface alone", |to| Box::pin(sending(to, PREFACE.to_vec()))),
    kind("idle HTTP/2", |to| Box::pin(http2(to, vec![]))),
    kind("HEADERS without their end", |to| {
        let block = Frame::block(&[(b":method", b"GET"), (b":path", b"/")]);
        Box::pin(http2(to, Frame::encode(kind::HEADERS, flag::NONE, 1, &block)))
    }),
    kind("an HTTP/2 body that stops", |to| {
        let data = Frame::encode(kind::DATA, flag::NONE, 1, b"ab");
        Box::pin(http2(to, [headers("POST", "/", false), data].concat()))
    }),
    kind("an HTTP/2 reader that does not read", |to| Box::pin(http2(to, headers("GET", "/large", true)))),
];

fn post(rest: &str) -> Vec<u8> {
    format!("POST / HTTP/1.1\r\nHost: x\r\n{rest}").into_bytes()
}

fn headers(method: &str, path: &str, end: bool) -> Vec<u8> {
    let block = Frame::block(&[
        (b":method", method.as_bytes()),
        (b":scheme", b"http"),
        (b":authority", b"x"),
        (b":path", path.as_bytes()),
    ]);
    Frame::encode(kind::HEADERS, flag::END_HEADERS | if end { flag::END_STREAM } else { 0 }, 1, &block)
}

async fn sending(address: SocketAddr, bytes: Vec<u8>) -> io::Result<Held> {
    Ok(Held::Silent { _socket: sent(address, &bytes).await? })
}

async fn sent(address: SocketAddr, bytes: &[u8]) -> io::Result<Socket> {
    let mut socket = RawClient::connect(address).await.into_socket();
    socket.write_all(bytes).await?;
    Ok(socket)
}

/// A byte now and then, for as long as it is let.
async fn dripping(address: SocketAddr) -> io::Result<Held> {
    let mut socket = sent(address, b"GET / HTTP/1.1\r\nHost: x\r\nA: ").await?;
    Ok(Held::Dripping(tokio::spawn(async move {
        while socket.write_all(b"a").await.is_ok() {
            tokio::time::sleep(LIMIT / 10).await;
        }
    })))
}

/// One good exchange, and then these bytes.
async fn after_a_response(address: SocketAddr, bytes: &[u8]) -> io::Result<Held> {
    let mut client = RawClient::connect(address).await;
    client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    client.response().await?;
    client.send(bytes).await;
    Ok(Held::Silent { _socket: client.into_socket() })
}

async fn http2(address: SocketAddr, more: Vec<u8>) -> io::Result<Held> {
    let settings = Frame::encode(kind::SETTINGS, flag::NONE, 0, &[]);
    let acknowledged = Frame::encode(kind::SETTINGS, flag::ACK, 0, &[]);
    sending(address, [PREFACE, &settings, &acknowledged, &more].concat()).await
}

/// Good requests one after the other, until told to stop; how long each took.
fn good_requests(address: SocketAddr, stop: Arc<AtomicBool>) -> JoinHandle<Vec<Duration>> {
    tokio::spawn(async move {
        let mut took = Vec::new();
        loop {
            let start = Instant::now();
            let response = RawClient::once(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
            assert_eq!((response.status(), response.text().as_str()), (200, "ok"));
            took.push(start.elapsed());
            if stop.load(Ordering::SeqCst) {
                return took;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

async fn slow_clients_are_closed(kind: Kind, count: usize) {
    let origin = Origin::ok().await;
    // More than the kernel's buffers take.
    let large = Origin::start(|_| {
        let head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
        vec![Step::Head, Step::Send(head), Step::Repeat(vec![b'x'; 64 << 10], 256)]
    })
    .await;
    let ca = Ca::new();
    let identity = ca.server(&["localhost"]);
    let limit = format!("{}s", LIMIT.as_secs());
    let gateway = Gateway::builder(&format!(
        "timeouts: {{head: {limit}, idle: {limit}, body: {limit}, write: {limit}}}\n\
         routes:\n- {{path_prefix: /, upstream: \"{}\"}}\n- {{path: /large, upstream: \"{}\"}}\n",
        origin.address(),
        large.address()
    ))
    .listeners(&format!(
        "- address: 127.0.0.1:0\n- address: 127.0.0.1:0\n  tls: {{cert: {}, key: {}}}\n",
        identity.cert.display(),
        identity.key.display()
    ))
    .start();
    let before = gateway.open_files();
    let stop = Arc::new(AtomicBool::new(false));
    let good = good_requests(gateway.address(), stop.clone());

    let start = Instant::now();
    let address = gateway.addresses()[usize::from(kind.tls)];
    let opening: Vec<_> = (0..count).map(|_| tokio::spawn((kind.open)(address))).collect();
    let mut held = Vec::new();
    for opening in opening {
        held.push(opening.await.unwrap().unwrap());
    }
    let (took, open) = (start.elapsed(), gateway.open_files());
    assert!(took > LIMIT / 2 || open >= before + count, "{}: closed after {took:?} already", kind.name);

    // They hold their ends all the while, and none of them reads: what counts is what the gateway holds.
    eventually(&format!("the end of the slow clients ({})", kind.name), || {
        gateway.open_files() <= before + SLACK
    })
    .await;
    let closed = start.elapsed();
    stop.store(true, Ordering::SeqCst);
    let mut good = good.await.unwrap();
    if crate::soaking() {
        good.sort_unstable();
        let p99 = good[good.len() * 99 / 100];
        println!("{}: {count} closed after {closed:?}; {} good requests, p99 {p99:?}", kind.name, good.len());
    }
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_slow_client_is_closed_at_its_limit() {
    let (count, at_once) = if crate::soaking() { (1000, 4) } else { (100, KINDS.len()) };
    let mut failures = Vec::new();
    for kinds in KINDS.chunks(at_once) {
        let runs: Vec<_> =
            kinds.iter().map(|kind| (kind.name, tokio::spawn(slow_clients_are_closed(*kind, count)))).collect();
        for (name, run) in runs {
            if run.await.is_err() {
                failures.push(name);
            }
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}

#[tokio::test]
async fn a_slow_head_is_told_so() {
    let origin = Origin::ok().await;
    let gateway = Gateway::builder(&format!(
        "timeouts: {{head: 500ms}}\nroutes:\n- path_prefix: /\n  upstream: {}\n",
        origin.address()
    ))
    .start();
    let mut client = RawClient::connect(gateway.address()).await;
    client.send("GET / HTTP/1.1\r\nHost: x\r\n").await;
    // Either is fine (RFC 9110, section 15.5.9); what is not is to wait on.
    if let Ok(response) = client.response().await {
        assert_eq!(response.status(), 408, "{response:?}");
    }
    assert!(client.is_closed().await);
    assert!(origin.requests().is_empty());
}
