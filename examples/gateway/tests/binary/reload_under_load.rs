//! Reloads while clients of every kind are served: none of them notices.
//!
//! CI does a few; `RELOADS=100` does as many as hazards.md asks for.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use harness::{Ca, H2Client, Origin, RawClient, Reply, Step, TempDir, eventually};
use rustls::ClientConfig;
use tokio::task::JoinSet;

use crate::running::Running;

const NAME: &str = "gateway.example";
const PATHS: [&str; 2] = ["/steady/1", "/changing/1"];

/// Every fifth file is wrong.
const WRONG: usize = 5;

fn reloads() -> usize {
    std::env::var("RELOADS").ok().and_then(|count| count.parse().ok()).unwrap_or(20)
}

/// The clients of one run: each repeats itself until it is told to stop, and stops the test when anything fails.
#[derive(Clone)]
struct Load {
    plain: SocketAddr,
    secure: SocketAddr,
    tls: Arc<ClientConfig>,
    tls_http2: Arc<ClientConfig>,
    over: Arc<AtomicBool>,
    exchanges: Arc<[AtomicUsize; 5]>,
}

impl Load {
    fn goes_on(&self, kind: usize) -> bool {
        self.exchanges[kind].fetch_add(1, Ordering::Relaxed);
        !self.over.load(Ordering::Relaxed)
    }

    async fn http1(self, kind: usize, mut client: RawClient) {
        while self.goes_on(kind) {
            for path in PATHS {
                let response = client.exchange(format!("GET {path} HTTP/1.1\r\nhost: {NAME}\r\n\r\n")).await;
                assert_eq!((response.status(), &*response.body), (200, path.as_bytes()), "{response:?}");
            }
        }
    }

    async fn plain(self) {
        let client = RawClient::connect(self.plain).await;
        self.http1(0, client).await;
    }

    async fn secure(self) {
        let client = RawClient::connect_tls(self.secure, self.tls.clone(), NAME).await.expect("a handshake");
        self.http1(1, client).await;
    }

    async fn http2(self) {
        let client = H2Client::connect_tls(self.secure, self.tls_http2.clone(), NAME).await;
        let mut client = client.expect("a handshake");
        while self.goes_on(2) {
            for path in PATHS {
                let request = http::Request::get(format!("https://{NAME}{path}")).body("").expect("a request");
                let response = client.exchange(request).await.expect("a response");
                assert_eq!((response.status(), &*response.body), (200, path.as_bytes()), "{response:?}");
            }
        }
    }

    async fn websocket(self) {
        let mut client = RawClient::connect(self.plain).await;
        client
            .send(format!(
                "GET /chat HTTP/1.1\r\nhost: {NAME}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            ))
            .await;
        assert!(client.head().await.expect("a head").line.contains(" 101 "));
        while self.goes_on(3) {
            client.send("hello").await;
            assert_eq!(client.read_exactly(5).await.expect("an echo"), b"hello");
        }
    }

    async fn new_connections(self) {
        while self.goes_on(4) {
            let config = self.tls.clone();
            let client = RawClient::connect_tls(self.secure, config, NAME).await;
            let request = format!("GET /steady/1 HTTP/1.1\r\nhost: {NAME}\r\nconnection: close\r\n\r\n");
            let response = client.expect("a handshake").exchange(request).await;
            assert_eq!(response.status(), 200, "{response:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_notices_a_reload() {
    const SWITCH: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let echo = |request: &harness::Request| {
        Reply::text(request.head.line.split(' ').nth(1).unwrap_or_default().to_owned())
    };
    let (steady, changing) = (Origin::answering(echo).await, Origin::answering(echo).await);
    let chat = Origin::start(|_| vec![Step::Head, Step::Send(SWITCH.into()), Step::Echo]).await;
    let (ca, folder) = (Ca::new(), TempDir::new());
    let identities = [ca.server(&[NAME]), ca.server(&[NAME, "other.example"])];
    let write = |number: usize| {
        let identity = &identities[number % 2];
        fs::copy(&identity.cert, folder.path().join("api.pem")).expect("copies");
        fs::copy(&identity.key, folder.path().join("api.key")).expect("copies");
        let more = match number % WRONG {
            0 if number > 0 => "- {path: /new, upstreem: \"a:80\"}".to_owned(),
            _ => format!("- {{path: /new/{number}, upstream: \"{}\"}}", steady.address()),
        };
        folder.write(
            "gateway.yaml",
            format!(
                "workers: 2
access_log: {{file: access.log}}
listeners:
- address: 127.0.0.1:0
- address: 127.0.0.1:0
  tls: {{cert: api.pem, key: api.key}}
upstreams:
  changing: {{target: \"{}\", keep_alive: {}ms}}
routes:
- {{path_prefix: /steady, upstream: \"{}\"}}
- {{path_prefix: /changing, upstream: changing}}
- {{path: /chat, upstream: \"{}\"}}
{more}
",
                changing.address(),
                1000 + number,
                steady.address(),
                chat.address()
            ),
        )
    };
    let mut gateway = Running::start(write(0), &["--no-watch"]);
    let mut address = || gateway.address().parse().expect("an address");
    let load = Load {
        plain: address(),
        secure: address(),
        tls: ca.trusting_client(&["http/1.1"], None),
        tls_http2: ca.trusting_client(&["h2"], None),
        over: Arc::default(),
        exchanges: Arc::default(),
    };
    let mut clients = JoinSet::new();
    for _ in 0..2 {
        clients.spawn(load.clone().plain());
        clients.spawn(load.clone().secure());
        clients.spawn(load.clone().http2());
        clients.spawn(load.clone().websocket());
    }
    clients.spawn(load.clone().new_connections());

    let (mut accepted, mut refused) = (0, 0);
    for number in 1..=reloads() {
        // Each reload happens while all of them are at work.
        let before: Vec<_> = load.exchanges.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        eventually("exchanges", || {
            if let Some(ended) = clients.try_join_next() {
                ended.expect("no client fails");
            }
            let counts = load.exchanges.iter().map(|count| count.load(Ordering::Relaxed));
            counts.zip(&before).all(|(now, before)| now > *before)
        })
        .await;
        write(number);
        let said = gateway.reload();
        if number % WRONG == 0 {
            assert!(said.contains("did you mean `upstream`?") && said.contains("not reloaded"), "{said}");
            refused += 1;
        } else {
            assert!(said.contains("SIGHUP: reloaded"), "{said}");
            accepted += 1;
        }
    }
    load.over.store(true, Ordering::Relaxed);
    while let Some(ended) = clients.join_next().await {
        ended.expect("no client fails");
    }
    assert!(accepted > refused && refused > 0, "{accepted} accepted, {refused} refused");
    // The upstream that stays has no more connections than clients had at once, and as many workers.
    assert!(steady.accepted() <= 2 * 9, "{} connections", steady.accepted());
    gateway.signal("TERM");
    assert!(gateway.wait().success());
}
