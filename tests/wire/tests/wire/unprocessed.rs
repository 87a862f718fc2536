//! Requests that an HTTP/2 endpoint has not processed, as it says itself: they go again, whatever their method, with the
//! same body (RFC 9113, sections 6.8 and 8.7).

use std::{
    net::{SocketAddr, TcpListener as StdListener},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use harness::{Frame, Gateway, H2Client, RawClient, Tally, TempDir, flag, kind, peer, within};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

use crate::soaking;

/// How an endpoint says that it has not processed a request.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    /// GOAWAY with this code: no stream after the first one.
    GoAway(u32),
    /// The same, and the connection is closed with a reset at once.
    GoAwayAndReset,
    /// RST_STREAM with REFUSED_STREAM.
    Reset,
}

const REFUSED_STREAM: u32 = 7;
const REFUSALS: [Refusal; 4] =
    [Refusal::GoAway(0), Refusal::GoAway(11), Refusal::GoAwayAndReset, Refusal::Reset];

/// An endpoint that answers the first request of each connection, and refuses the next one when all of it has come, so
/// many times. Then it answers all.
struct Fickle {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    /// The bodies of the requests that were answered, and whether trailers came.
    answered: Mutex<Vec<(Vec<u8>, bool)>>,
    refused: AtomicUsize,
}

impl Fickle {
    async fn start(refusal: Refusal, times: usize) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let to = seen.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let seen = to.clone();
                connections.spawn(async move {
                    let _ = serve(stream, refusal, times, &seen).await;
                });
            }
        });
        Self { address, seen, task }
    }

    fn gateway(&self) -> Gateway {
        Gateway::builder(&format!(
            "workers: 1\nroutes:\n- path_prefix: /\n  upstream: {{target: \"{}\", protocol: http2}}\n",
            self.address
        ))
        .start()
    }

    fn take_answered(&self) -> Vec<(Vec<u8>, bool)> {
        std::mem::take(&mut *self.seen.answered.lock().unwrap())
    }

    fn refused(&self) -> usize {
        self.seen.refused.load(Ordering::SeqCst)
    }
}

impl Drop for Fickle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, refusal: Refusal, times: usize, seen: &Seen) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    stream.read_exact(&mut [0; b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len()]).await?;
    // INITIAL_WINDOW_SIZE.
    let window = (1_u32 << 20).to_be_bytes();
    let settings = [&[0, 4], &window[..]].concat();
    stream.write_all(&Frame::encode(kind::SETTINGS, flag::NONE, 0, &settings)).await?;
    stream.write_all(&Frame::encode(kind::WINDOW_UPDATE, flag::NONE, 0, &(1_u32 << 28).to_be_bytes())).await?;
    let (mut first, mut body, mut heads) = (None, Vec::new(), 0);
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await?;
        let (kind, flags) = (head[3], head[4]);
        let id = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        match kind {
            kind::SETTINGS if flags & flag::ACK == 0 => {
                stream.write_all(&Frame::encode(kind::SETTINGS, flag::ACK, 0, &[])).await?;
            }
            kind::PING if flags & flag::ACK == 0 => {
                stream.write_all(&Frame::encode(kind::PING, flag::ACK, 0, &payload)).await?;
            }
            kind::HEADERS => heads += 1,
            kind::DATA => body.extend(payload),
            _ => continue,
        }
        if !matches!(kind, kind::HEADERS | kind::DATA) || flags & flag::END_STREAM == 0 {
            continue;
        }
        let (body, heads) = (std::mem::take(&mut body), std::mem::take(&mut heads));
        let first = *first.get_or_insert(id);
        if id != first && seen.refused.load(Ordering::SeqCst) < times {
            seen.refused.fetch_add(1, Ordering::SeqCst);
            let go_away = |code: u32| {
                let payload = [first.to_be_bytes(), code.to_be_bytes()].concat();
                Frame::encode(kind::GOAWAY, flag::NONE, 0, &payload)
            };
            match refusal {
                Refusal::GoAway(code) => stream.write_all(&go_away(code)).await?,
                Refusal::GoAwayAndReset => {
                    stream.write_all(&go_away(0)).await?;
                    stream.set_zero_linger()?;
                    return Ok(());
                }
                Refusal::Reset => {
                    let reset = Frame::encode(kind::RST_STREAM, flag::NONE, id, &REFUSED_STREAM.to_be_bytes());
                    stream.write_all(&reset).await?;
                }
            }
            continue;
        }
        seen.answered.lock().unwrap().push((body, heads > 1));
        // `:status: 200`
        let flags = flag::END_HEADERS | flag::END_STREAM;
        stream.write_all(&Frame::encode(kind::HEADERS, flags, id, &[0x88])).await?;
    }
}

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| b'a' + (at % 23) as u8).collect()
}

/// The same body, as a client may send it.
#[derive(Debug, Clone, Copy)]
enum Sent {
    Whole,
    Chunked,
    Http2,
}

async fn post(gateway: &Gateway, method: &str, body: &[u8], sent: Sent) -> u16 {
    let head = format!("{method} /a HTTP/1.1\r\nHost: x\r\n");
    match sent {
        Sent::Whole => {
            let head = format!("{head}Content-Length: {}\r\n\r\n", body.len());
            RawClient::once(gateway.address(), [head.as_bytes(), body].concat()).await.status()
        }
        Sent::Chunked => {
            let mut request = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
            for chunk in body.chunks(4000) {
                request.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()));
                request.extend(b"\r\n");
            }
            request.extend(b"0\r\nx-sum: 1\r\n\r\n");
            RawClient::once(gateway.address(), request).await.status()
        }
        Sent::Http2 => {
            let request = http::Request::builder().method(method).uri("http://x/a");
            let request = request.body(body.to_vec()).unwrap();
            H2Client::connect(gateway.address()).await.exchange(request).await.unwrap().status()
        }
    }
}

#[tokio::test]
async fn a_request_that_was_refused_goes_again_with_its_whole_body() {
    let mut tally = Tally::new();
    for refusal in REFUSALS {
        let origin = Fickle::start(refusal, usize::MAX).await;
        let gateway = origin.gateway();
        // The last one leaves room for trailers.
        for length in [0, 10, 10_000, 65_000] {
            for sent in [Sent::Whole, Sent::Chunked, Sent::Http2] {
                let case = format!("{refusal:?}, {length} bytes, {sent:?}");
                // The first request of a connection is answered, the next one is refused; after a reset of a stream the
                // connection goes on, and refuses again.
                let origin_once = Fickle::start(refusal, 1).await;
                let gateway_once = origin_once.gateway();
                assert_eq!(post(&gateway_once, "GET", b"", Sent::Whole).await, 200);
                origin_once.take_answered();
                tally.equal(&case, post(&gateway_once, "POST", &body(length), sent).await, 200);
                let expected = vec![(body(length), matches!(sent, Sent::Chunked))];
                tally.check(format!("{case}: body"), origin_once.take_answered() == expected, "another one");
                tally.equal(format!("{case}: refusals"), origin_once.refused(), 1);
            }
        }
        // One that refuses on and on is not stormed.
        assert_eq!(post(&gateway, "GET", b"", Sent::Whole).await, 200);
        let status = post(&gateway, "POST", &body(10), Sent::Whole).await;
        let tried = origin.refused();
        match refusal {
            Refusal::Reset => tally.check(format!("{refusal:?}: {status}"), status == 502 && tried == 3, tried),
            // On a new connection it is the first one.
            _ => tally.check(format!("{refusal:?}: {status}"), status == 200 && tried == 1, tried),
        }
    }
    tally.finish(4 * 4 * 3 * 3 + 4);
}

#[tokio::test]
async fn a_much_longer_body_is_not_kept_and_its_request_fails() {
    for refusal in REFUSALS {
        let origin = Fickle::start(refusal, 1).await;
        let gateway = origin.gateway();
        assert_eq!(post(&gateway, "GET", b"", Sent::Whole).await, 200);
        // The copy, and a frame as large as the gateway reads at once, which may be held beside it.
        let status = post(&gateway, "POST", &body((64 << 10) + 2 * (128 << 10)), Sent::Whole).await;
        assert_eq!((status, origin.refused()), (502, 1), "{refusal:?}");
        assert_eq!(post(&gateway, "POST", &body(10), Sent::Whole).await, 200, "{refusal:?}");
    }
}

#[tokio::test]
async fn each_method_goes_again() {
    for refusal in REFUSALS {
        for method in ["POST", "PUT", "PATCH", "DELETE", "GET", "REPORT"] {
            let origin = Fickle::start(refusal, 1).await;
            let gateway = origin.gateway();
            assert_eq!(post(&gateway, "GET", b"", Sent::Whole).await, 200);
            assert_eq!(post(&gateway, method, b"0123456789", Sent::Whole).await, 200, "{refusal:?} {method}");
            assert_eq!(origin.refused(), 1);
        }
    }
}

/// nginx, killed on drop.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Nginx {
    /// Answers under `/at-once` without a look at the body, and elsewhere when it has come; ends each connection after
    /// so many requests.
    async fn start(requests: usize) -> Self {
        for _ in 0..5 {
            let address = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let dir = TempDir::new();
            let config = format!(
                "daemon off; master_process off; pid nginx.pid; error_log error.log;\n\
                events {{ worker_connections 4096; }}\n\
                http {{\n\
                  access_log off;\n\
                  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
                  uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
                  server {{\n\
                    listen {address} http2; keepalive_requests {requests};\n\
                    location / {{ proxy_pass http://unix:inner.sock:/; }}\n\
                    location /at-once {{ return 200 ok; }}\n\
                  }}\n\
                  server {{ listen unix:inner.sock; location / {{ return 200 $content_length; }} }}\n\
                }}\n"
            );
            let config = dir.write("nginx.conf", &config);
            let child = Command::new(peer::program("nginx"))
                .args(["-e", "error.log", "-p"])
                .arg(dir.path())
                .arg("-c")
                .arg(config)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .current_dir(dir.path())
                .spawn()
                .unwrap();
            let mut nginx = Self { child, address, _dir: dir };
            let up = async {
                loop {
                    if nginx.child.try_wait().unwrap().is_some() {
                        return false;
                    }
                    if TcpStream::connect(address).await.is_ok() {
                        return true;
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            if within("nginx", up).await {
                return nginx;
            }
            // Somebody else has taken the port meanwhile.
        }
        panic!("nginx does not start");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_that_ends_its_connections_costs_no_request() {
    let (count, each) = if soaking() { (8_000, 1_000) } else { (1_600, 50) };
    let nginx = Nginx::start(each).await;
    let gateway = Gateway::with_routes(&format!(
        "- path_prefix: /\n  upstream: {{target: \"{}\", protocol: http2}}\n",
        nginx.address
    ));
    let failed = Arc::new(Mutex::new(Vec::new()));
    let mut clients = JoinSet::new();
    for number in 0..16 {
        let (address, failed) = (gateway.address(), failed.clone());
        clients.spawn(async move {
            let mut client = RawClient::connect(address).await;
            for turn in 0..count / 16 {
                let length = [0, 10, 10_000][turn % 3];
                let path = if number % 2 == 0 { "/" } else { "/at-once" };
                let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
                let response = client.exchange([head.as_bytes(), &body(length)].concat()).await;
                if response.status() != 200 {
                    failed.lock().unwrap().push((path, length, response.status()));
                    client = RawClient::connect(address).await;
                }
            }
        });
    }
    clients.join_all().await;
    let failed = failed.lock().unwrap();
    assert!(failed.is_empty(), "{} of {count}: {:?}", failed.len(), &failed[..failed.len().min(20)]);
}
