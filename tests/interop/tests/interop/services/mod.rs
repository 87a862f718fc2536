//! What comes from a service, directly and through the gateway.

mod ci;
mod full;
mod proxies;

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use harness::{Gateway, H2Client, RawClient, Response, Tally};
use tokio::task::JoinSet;

use crate::pattern::{pattern, sha256};

/// Around the sizes that servers, gateways and clients give their buffers.
const SIZES: [usize; 13] = [0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 16_384, 16_385, 65_535, 65_536, 1 << 20];

/// How a service ends its idle connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// After so many requests at most, of one connection or of all together.
    pub(crate) requests: Option<usize>,
    /// After such a time without one.
    pub(crate) idle: Option<Duration>,
}

/// Holds the gateway to a service: what it yields, how it ends connections.
pub(crate) async fn hold(service: SocketAddr, ends: Ends) {
    let gateway = Gateway::to(service);
    let mut tally = Tally::new();
    bodies(&mut tally, service, gateway.address()).await;
    if let Some(requests) = ends.requests {
        ends_after_requests(&mut tally, service, gateway.address(), requests).await;
    }
    if let Some(idle) = ends.idle {
        ends_when_idle(&mut tally, service, gateway.address(), idle).await;
    }
    tally.finish(195);
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n")
}

fn post(length: usize) -> Vec<u8> {
    let head = format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    [head.into_bytes(), pattern(length)].concat()
}

/// What a service says of a body that it got.
fn echoed(length: usize) -> String {
    format!("POST {length} {} length none\n", sha256(&pattern(length)))
}

/// Every kind of body in every size, over both protocols, equal to what the service says directly.
async fn bodies(tally: &mut Tally, service: SocketAddr, gateway: SocketAddr) {
    let mut client = RawClient::connect(gateway).await;
    let mut h2 = H2Client::connect(gateway).await;
    for kind in ["sized", "one", "many", "gzip", "gzip-stream"] {
        for size in SIZES {
            let path = format!("/{kind}/{size}");
            let wanted = RawClient::once(service, get(&path)).await;
            let packed = wanted.header("content-encoding") == Some("gzip");
            let plain = if packed { unpacked(&wanted.body) } else { wanted.body.clone() };
            // Proxies leave what is small as it is.
            let as_meant = wanted.status() == 200
                && wanted.complete
                && plain == pattern(size)
                && (packed || !kind.starts_with("gzip") || size < 4096);
            tally.check(format!("{path} directly"), as_meant, &wanted.head);
            let found = client.exchange(get(&path)).await;
            let wanted = Wanted { response: &wanted, packed, plain: &plain };
            tally.check(&path, wanted.is(&found), (&found.head, found.body.len()));
            let found = h2.exchange(get_h2(gateway, &path)).await.unwrap();
            tally.check(format!("{path} over HTTP/2"), wanted.is(&found), (&found.head, found.body.len()));
        }
    }
}

fn get_h2(gateway: SocketAddr, path: &str) -> http::Request<Vec<u8>> {
    let request = http::Request::get(format!("http://{gateway}{path}")).header("accept-encoding", "gzip");
    request.body(Vec::new()).unwrap()
}

/// What a service says directly.
struct Wanted<'a> {
    response: &'a Response,
    packed: bool,
    plain: &'a [u8],
}

impl Wanted<'_> {
    fn is(&self, found: &Response) -> bool {
        let same = |name| found.header(name) == self.response.header(name);
        // What is packed as it comes has as many bytes as its pieces give, and they come otherwise each time.
        let length = match (self.response.header("content-length"), found.header("content-length")) {
            // A body in chunks that has come as a whole goes on with its length.
            (None, Some(length)) => length == found.body.len().to_string(),
            (Some(_), Some(length)) if self.packed => length == found.body.len().to_string(),
            (_, None) if self.packed => true,
            (wanted, found) => wanted == found,
        };
        found.complete
            && found.status() == self.response.status()
            && same("content-encoding")
            && length
            && same("content-type")
            && if self.packed { unpacked(&found.body) == self.plain } else { found.body == self.plain }
    }
}

/// By a reader of another make.
fn unpacked(packed: &[u8]) -> Vec<u8> {
    let dir = harness::TempDir::new();
    let file = std::fs::File::open(dir.write("packed", packed)).unwrap();
    let output = Command::new("gzip").arg("-dc").stdin(Stdio::from(file)).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// 200 requests in a row, of which every fifth has a body.
async fn ends_after_requests(tally: &mut Tally, service: SocketAddr, gateway: SocketAddr, requests: usize) {
    // The service does end its connections.
    let mut client = RawClient::connect(service).await;
    for _ in 0..requests {
        let response = client.exchange(get("/sized/10")).await;
        tally.equal("directly", response.status(), 200);
        if response.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            break;
        }
    }
    tally.check("the service ends its connection", client.is_closed().await, requests);

    let mut client = RawClient::connect(gateway).await;
    for number in 0..200 {
        let (request, body) = match number % 5 {
            0 => (post(3000), echoed(3000).into_bytes()),
            _ => (get("/many/100").into_bytes(), pattern(100)),
        };
        let response = client.exchange(request).await;
        let fine = response.status() == 200 && response.body == body;
        tally.check(format!("number {number}"), fine, &response);
    }
}

/// Connections of clients that pause for about as long as the service waits. Bodies go after a longer pause: what the service
/// has begun to close must not be used, while a POST that crosses with the close may fail.
async fn ends_when_idle(tally: &mut Tally, service: SocketAddr, gateway: SocketAddr, idle: Duration) {
    let mut client = RawClient::connect(service).await;
    let response = client.exchange(get("/sized/10")).await;
    tally.equal("directly", response.status(), 200);
    tally.check("the service ends an idle connection", client.is_closed().await, idle);

    let failed = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut clients = JoinSet::new();
    for number in 0..40_u32 {
        let failed = failed.clone();
        clients.spawn(async move {
            let mut client = RawClient::connect(gateway).await;
            // From 0.8 to 1.2 of the time; every fourth client has bodies and waits for twice the time.
            let bodies = number % 4 == 0;
            let pause = if bodies { idle * 2 } else { idle * (80 + number) / 100 };
            for round in 0..5 {
                let (request, body) = match bodies {
                    true => (post(3000), echoed(3000).into_bytes()),
                    false => (get("/many/100").into_bytes(), pattern(100)),
                };
                let response = client.exchange(request).await;
                if response.status() != 200 || response.body != body {
                    failed.lock().unwrap().push(format!("{number} {round} {pause:?}: {response:?}"));
                }
                tokio::time::sleep(pause).await;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let failed = failed.lock().unwrap().clone();
    tally.check("40 clients with pauses", failed.is_empty(), failed);
}
