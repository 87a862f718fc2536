//! Every wait has an end: each state that holds a connection, a permit or a place in a pool is ended by its own limit,
//! while all other limits are an hour. docs/design/0017-every-wait-has-an-end.md is the table; `slow_clients` and `drain`
//! hold the rows that are not here.

mod endpoints;

use std::time::Duration;

use endpoints::Endpoint;
use harness::{Frame, Gateway, RawClient, eventually, flag, kind, within};
use tokio::{io::AsyncWriteExt, task::JoinHandle};

/// A state, and the limit that ends it.
#[derive(Debug, Clone, Copy)]
struct Wait {
    state: &'static str,
    /// Keys of the file that are two seconds; the others are an hour. Over HTTP/2 a stream may end first, and the
    /// connection, idle then, after it.
    limit: &'static str,
    holds: Holds,
    client: Client,
}

/// What is not to be had while the state lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// The only permit of a limit `concurrent`.
    Permit,
    /// The client's connection, and what was opened for it.
    Connection,
    /// The only connection to an endpoint.
    Place,
}

#[derive(Debug, Clone, Copy)]
enum Client {
    /// Sends this and falls silent.
    Sends(&'static str),
    /// Sends this head, and then a body for as long as somebody takes it.
    Uploads(&'static str),
    /// Sends the same, and says now and then one byte more.
    Drips(&'static str),
    /// The same over HTTP/2: posts to this path, with the whole body that the window allows.
    PostsHttp2(&'static str),
    /// The same, and asks for something else now and then, so that the connection is never idle.
    PostsHttp2AndGoesOn(&'static str),
    /// Asks for this path and waits.
    Gets(&'static str),
}

use Client::{Drips, Gets, PostsHttp2, PostsHttp2AndGoesOn, Sends, Uploads};
use Holds::{Connection, Permit, Place};

const fn wait(state: &'static str, limit: &'static str, holds: Holds, client: Client) -> Wait {
    Wait { state, limit, holds, client }
}

const WAITS: [Wait; 25] = [
    // The client keeps the gateway waiting.
    wait("a PROXY header that stops", "head", Connection, Sends("PROXY TCP4 ")),
    wait("an upload that stops after its response", "stream", Connection, Sends(LATE)),
    wait(
        "an upload of HTTP/2 that stops after its response",
        "stream, idle",
        Connection,
        PostsHttp2("/early-reads-on"),
    ),
    wait(
        "a WebSocket in which neither side speaks, by the listener's limit",
        "stream",
        Permit,
        Sends(WEBSOCKET),
    ),
    wait(
        "a client that goes on after it was refused",
        "linger",
        Connection,
        Drips("GET / HTTP/1.1\r\nbad\r\n\r\n"),
    ),
    wait("an upload that stops, by the route's limit", "idle_timeout", Permit, Sends(STOPS)),
    wait(
        "the same on a connection that is never idle",
        "stream",
        Place,
        PostsHttp2AndGoesOn("/early-reads-on"),
    ),
    // The endpoint does.
    wait("an endpoint that takes no connection", "connect_timeout", Permit, Gets("/full")),
    wait("an endpoint that does not speak TLS", "connect_timeout", Permit, Gets("/mute-tls")),
    wait("an endpoint that does not speak HTTP/2", "connect_timeout", Permit, Gets("/mute-http2/silent")),
    wait("no response", "timeout", Permit, Gets("/silent")),
    wait("a response's head that stops", "timeout", Permit, Gets("/half-head")),
    wait("interim responses without end", "timeout", Permit, Gets("/interim")),
    wait("no response to HTTP/2", "timeout", Permit, Gets("/http2/silent")),
    wait("an upload that is not taken", "timeout", Permit, Uploads("/silent")),
    wait("an upload that is not taken over HTTP/2", "timeout", Permit, Uploads("/http2/silent")),
    wait("a response's body that stops", "idle_timeout", Permit, Gets("/half-body")),
    wait("a chunk that stops", "idle_timeout", Permit, Gets("/half-chunk")),
    wait("trailers that stop", "idle_timeout", Permit, Gets("/half-trailers")),
    wait("a body until a close that does not come", "idle_timeout", Permit, Gets("/until-close")),
    wait("a body over HTTP/2 that stops", "idle_timeout", Permit, Gets("/http2/half-body")),
    wait("a WebSocket in which neither side speaks", "idle_timeout", Permit, Sends(WEBSOCKET)),
    wait("an upload that is not taken after its response", "a second", Connection, Uploads("/early")),
    wait("the same over HTTP/2", "stream", Connection, Uploads("/http2/early")),
    wait("the same of an HTTP/2 client", "stream, idle", Connection, PostsHttp2("/early")),
];

const LATE: &str = "POST /early-reads-on HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc";
const STOPS: &str = "POST /silent HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc";
const WEBSOCKET: &str = "GET /websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The endpoints of one gateway.
struct Endpoints {
    http1: Endpoint,
    http2: Endpoint,
    mute: Endpoint,
    full: Endpoint,
}

impl Endpoints {
    async fn start() -> Self {
        let (http1, http2) = (endpoints::http1().await, endpoints::http2().await);
        Self { http1, http2, mute: endpoints::mute().await, full: endpoints::full().await }
    }
}

/// A gateway whose limits are an hour, but those named; with one connection to each endpoint and one request at a time.
fn gateway(limit: &str, endpoints: &Endpoints) -> Gateway {
    let value = |key: &str| {
        let is_short = limit.split(", ").any(|short| short == key);
        format!("{key}: {}", if is_short { "2s" } else { "1h" })
    };
    let values = |keys: &[&str]| keys.iter().map(|key| value(key)).collect::<Vec<_>>().join(", ");
    let Endpoints { http1, http2, mute, full } = endpoints;
    let pool = format!("max_connections: 1, {}", value("keep_alive"));
    let (http1, http2, mute, full) = (http1.address, http2.address, mute.address, full.address);
    Gateway::builder(&format!(
        "workers: 1
timeouts: {{{}}}
defaults: {{{}, limit: one}}
limits: {{one: {{concurrent: 1, key: all}}}}
upstreams:
  http1: {{target: \"{http1}\", {pool}}}
  http2: {{target: \"{http2}\", protocol: http2, {pool}}}
  mute-tls: {{target: \"{mute}\", tls: on, {pool}}}
  mute-http2: {{target: \"{mute}\", protocol: http2, {pool}}}
  full: {{target: \"{full}\", {pool}}}
routes:
- {{path_prefix: /, upstream: http1}}
- {{path_prefix: /http2, upstream: http2, rewrite: {{prefix: /}}}}
- {{path_prefix: /mute-tls, upstream: mute-tls}}
- {{path_prefix: /mute-http2, upstream: mute-http2}}
- {{path_prefix: /full, upstream: full}}
",
        values(&["head", "idle", "body", "write", "stream", "linger", "linger_pause"]),
        values(&["timeout", "idle_timeout", "connect_timeout"]),
    ))
    .listeners("- address: 127.0.0.1:0\n- address: 127.0.0.1:0\n  proxy_protocol: {from: [127.0.0.0/8]}\n")
    .start()
}

/// The status of a good request on a connection of its own.
async fn status(gateway: &Gateway, path: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    RawClient::once(gateway.address(), request).await.status()
}

/// A client in this state, until it is dropped.
struct Held(JoinHandle<()>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn enter(gateway: &Gateway, wait: Wait) -> Held {
    let listener = usize::from(matches!(wait.client, Sends(text) if text.starts_with("PROXY")));
    let mut socket = RawClient::connect(gateway.addresses()[listener]).await.into_socket();
    Held(tokio::spawn(async move {
        let body = vec![b'x'; 64 << 10];
        match wait.client {
            Sends(text) => _ = socket.write_all(text.as_bytes()).await,
            Gets(path) => {
                let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
                let _ = socket.write_all(request.as_bytes()).await;
            }
            Uploads(path) => {
                let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
                let _ = socket.write_all(head.as_bytes()).await;
                while socket.write_all(&body).await.is_ok() {}
            }
            Drips(text) => {
                let _ = socket.write_all(text.as_bytes()).await;
                while socket.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            PostsHttp2(path) | PostsHttp2AndGoesOn(path) => {
                let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
                bytes.extend(Frame::encode(kind::SETTINGS, flag::NONE, 0, &[]));
                bytes.extend(Frame::encode(kind::SETTINGS, flag::ACK, 0, &[]));
                bytes.extend(Frame::encode(kind::HEADERS, flag::END_HEADERS, 1, &block("POST", path)));
                for _ in 0..3 {
                    bytes.extend(Frame::encode(kind::DATA, flag::NONE, 1, &body[..16 << 10]));
                }
                let _ = socket.write_all(&bytes).await;
                if matches!(wait.client, PostsHttp2AndGoesOn(_)) {
                    let flags = flag::END_HEADERS | flag::END_STREAM;
                    for stream in (3..).step_by(2) {
                        let get = Frame::encode(kind::HEADERS, flags, stream, &block("GET", "/http2/ok"));
                        if socket.write_all(&get).await.is_err() {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                }
            }
        }
        // The socket stays open, and nothing is read.
        std::future::pending::<()>().await;
        drop(socket);
    }))
}

/// The fields of a request in HTTP/2.
fn block(method: &str, path: &str) -> Vec<u8> {
    Frame::block(&[
        (b":method", method.as_bytes()),
        (b":scheme", b"http"),
        (b":authority", b"x"),
        (b":path", path.as_bytes()),
    ])
}

/// Enters the state, sees that it holds what it holds, and that all of it is to be had again.
async fn ends(wait: Wait) {
    let endpoints = Endpoints::start().await;
    let gateway = gateway(wait.limit, &endpoints);
    good_requests(&gateway).await;
    let before = settled(&gateway).await;
    let mut held = Some(enter(&gateway, wait).await);
    let mut looks = 0;
    while !is_held(&gateway, wait.holds, before).await {
        looks += 1;
        // On a busy machine it may be over before anybody looked.
        if looks % 50 == 0 {
            held = Some(enter(&gateway, wait).await);
        }
    }
    if wait.holds != Connection {
        // It is to be had while the client is still there, whose connection is in another state then.
        while status(&gateway, "/ok").await != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drop(held.take());
    }
    all_is_free(&gateway, before).await;
    drop(held);
}

/// Waits until good requests are served and no more files are open than before.
async fn all_is_free(gateway: &Gateway, before: usize) {
    // Twice in a row: a connection to an endpoint may have ended just now, and hide a client's that has not.
    let mut free = 0;
    while free < 2 {
        good_requests(gateway).await;
        free = if settled(gateway).await <= before { free + 1 } else { 0 };
    }
}

/// Sends a good request to each endpoint until it is served: each then has its one connection.
async fn good_requests(gateway: &Gateway) {
    for path in ["/ok", "/http2/ok"] {
        while status(gateway, path).await != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn is_held(gateway: &Gateway, holds: Holds, before: usize) -> bool {
    match holds {
        Permit => status(gateway, "/ok").await == 429,
        Connection | Place => {
            tokio::time::sleep(Duration::from_millis(5)).await;
            gateway.open_files() > before
        }
    }
}

/// The files that the gateway holds open when no client is there.
async fn settled(gateway: &Gateway) -> usize {
    let (mut before, mut equal) = (0, 0);
    within("open files", async {
        while equal < 10 {
            let now = gateway.open_files();
            equal = if now == before { equal + 1 } else { 0 };
            before = now;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wait_has_an_end() {
    let mut endless = Vec::new();
    for waits in WAITS.chunks(13) {
        let runs: Vec<_> =
            waits.iter().map(|wait| (wait.state, tokio::spawn(within(wait.state, ends(*wait))))).collect();
        for (state, run) in runs {
            if run.await.is_err() {
                endless.push(state);
            }
        }
    }
    assert!(endless.is_empty(), "{endless:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_to_an_endpoint_is_closed_in_time() {
    let endpoints = Endpoints::start().await;
    let gateway = gateway("keep_alive", &endpoints);
    let mut endless = Vec::new();
    for path in ["/ok", "/http2/ok"] {
        let before = settled(&gateway).await;
        assert_eq!(status(&gateway, path).await, 200);
        let closed = eventually(path, || gateway.open_files() <= before);
        if tokio::time::timeout(Duration::from_secs(20), closed).await.is_err() {
            endless.push(path);
        }
    }
    assert!(endless.is_empty(), "kept for ever: {endless:?}");
}
