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

use harness::{Ca, ClientConfig, Frame, Gateway, Origin, RawClient, Socket, Step, eventually, flag, kind};
use tokio::{io::AsyncWriteExt, task::JoinHandle};

/// The limit that is to close a kind of slow client; all others are an hour. At full size it is the default.
fn limit() -> Duration {
    Duration::from_secs(if crate::soaking() { 10 } else { 2 })
}

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

/// Where a gateway listens, and how to speak TLS with it.
#[derive(Clone)]
struct To {
    plain: SocketAddr,
    tls: SocketAddr,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
}

/// A way to be slow: what a client sends before it falls silent, and the limit that it breaks. Over HTTP/2 a stream
/// may end first and the connection, idle then, after it.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    limits: &'static str,
    open: fn(To) -> Opening,
}

const fn kind(name: &'static str, limits: &'static str, open: fn(To) -> Opening) -> Kind {
    Kind { name, limits, open }
}

const KINDS: [Kind; 19] = [
    kind("silent", "head", |to| Box::pin(sending(to.plain, vec![]))),
    kind("a head that stops", "head", |to| {
        Box::pin(sending(to.plain, b"GET / HTTP/1.1\r\nHost: x\r\nA".to_vec()))
    }),
    kind("a head that drips", "head", |to| Box::pin(dripping(to.plain))),
    kind("idle after a response", "idle", |to| Box::pin(after_a_response(to.plain, b""))),
    kind("a second head that stops", "head", |to| Box::pin(after_a_response(to.plain, b"GET / HT"))),
    kind("a body that stops", "body", |to| Box::pin(sending(to.plain, post("Content-Length: 9\r\n\r\nab")))),
    kind("a chunk that stops", "body", |to| {
        Box::pin(sending(to.plain, post("Transfer-Encoding: chunked\r\n\r\n5\r\nab")))
    }),
    kind("a reader that does not read", "write", |to| {
        Box::pin(sending(to.plain, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n".to_vec()))
    }),
    kind("silent where TLS is spoken", "head", |to| Box::pin(sending(to.tls, vec![]))),
    // The record announces 512 bytes and brings three.
    kind("half a TLS handshake", "head", |to| Box::pin(sending(to.tls, vec![0x16, 3, 1, 2, 0, 1, 0, 1]))),
    kind("silent after a TLS handshake", "head", |to| Box::pin(handshaken(to.tls, to.http1))),
    kind("silent after a TLS handshake for HTTP/2", "head", |to| Box::pin(handshaken(to.tls, to.http2))),
    kind("half an HTTP/2 preface", "head", |to| Box::pin(sending(to.plain, PREFACE[..18].to_vec()))),
    kind("a preface alone", "head", |to| Box::pin(sending(to.plain, PREFACE.to_vec()))),
    kind("HTTP/2 without a request", "head", |to| Box::pin(http2(to.plain, vec![]))),
    kind("HTTP/2 after a response", "idle", |to| Box::pin(http2(to.plain, headers("GET", "/", true)))),
    kind("HEADERS without their end", "head", |to| {
        let block = Frame::block(&[(b":method", b"GET"), (b":path", b"/")]);
        Box::pin(http2(to.plain, Frame::encode(kind::HEADERS, flag::NONE, 1, &block)))
    }),
    kind("an HTTP/2 body that stops", "body, idle", |to| {
        let data = Frame::encode(kind::DATA, flag::NONE, 1, b"ab");
        Box::pin(http2(to.plain, [headers("POST", "/", false), data].concat()))
    }),
    kind("an HTTP/2 reader that does not read", "write, idle", |to| {
        Box::pin(http2(to.plain, headers("GET", "/large", true)))
    }),
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
            tokio::time::sleep(limit() / 10).await;
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

async fn handshaken(address: SocketAddr, config: Arc<ClientConfig>) -> io::Result<Held> {
    let client = RawClient::connect_tls(address, config, "localhost").await?;
    Ok(Held::Silent { _socket: client.into_socket() })
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
    let limits: Vec<String> = ["head", "idle", "body", "write"]
        .iter()
        .map(|name| format!("{name}: {}s", if kind.limits.contains(name) { limit().as_secs() } else { 3600 }))
        .collect();
    let gateway = Gateway::builder(&format!(
        "timeouts: {{{}}}\ndefaults: {{timeout: 1h, idle_timeout: 1h}}\n\
         routes:\n- {{path_prefix: /, upstream: \"{}\"}}\n- {{path: /large, upstream: \"{}\"}}\n",
        limits.join(", "),
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
    let to = To {
        plain: gateway.addresses()[0],
        tls: gateway.addresses()[1],
        http1: ca.trusting_client(&["http/1.1"], None),
        http2: ca.trusting_client(&["h2"], None),
    };
    let opening: Vec<_> = (0..count).map(|_| tokio::spawn((kind.open)(to.clone()))).collect();
    let mut held = Vec::new();
    for opening in opening {
        // Where the machine is slow, the limit may be over before a client is as far as it wants to be.
        held.extend(opening.await.unwrap());
    }
    assert!(!held.is_empty(), "{}: none got as far as being slow", kind.name);
    // All are let in and held, unless so much time has passed that the first may be over.
    let let_in = || gateway.open_files() >= before + count;
    eventually("the slow clients", || let_in() || start.elapsed() > limit() / 2).await;
    let took = start.elapsed();
    assert!(took > limit() / 2 || let_in(), "{}: closed after {took:?} already", kind.name);

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
        println!(
            "{}: {count} open after {took:?}, closed after {closed:?}; {} good requests, p99 {p99:?}",
            kind.name,
            good.len()
        );
    }
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_slow_client_is_closed_at_its_limit() {
    // All kinds at once would be busy with themselves on a small machine.
    let (count, at_once) = if crate::soaking() { (1000, 4) } else { (100, 5) };
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
