//! Clients that give up, and an HTTP/2 origin that guards itself against rapid resets: nobody else notices.
//!
//! The origin is the h2 crate with its own defaults, which closes a connection on which more than 20 streams are reset
//! before they were looked at. On top of that it counts all resets as Tomcat does: a connection begins with 100 points, a
//! request gives 20, a response 20 more, and a reset costs 50.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use harness::{Gateway, H2Client, RawClient, eventually};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// An HTTP/2 origin whose paths say how it answers: `/slow` after a while, `/hang` with a head and no body, anything
/// else at once.
struct Guarded {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<Infallible>,
}

/// What else it does.
#[derive(Debug, Clone, Copy, Default)]
struct Habits {
    /// Again and again it does nothing for so long, so that what clients do meanwhile is there at once.
    stall: Duration,
    /// After so many streams it ends a connection, by GOAWAY.
    streams: Option<usize>,
}

#[derive(Default)]
struct Seen {
    accepted: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    /// Connections that it closed because of resets.
    calmed: AtomicUsize,
    requests: Mutex<HashMap<String, usize>>,
    /// Streams that are being served.
    serving: AtomicUsize,
}

const SLOW: Duration = Duration::from_millis(300);

impl Guarded {
    async fn start() -> Self {
        Self::start_with(Habits::default()).await
    }

    async fn start_with(habits: Habits) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let to = seen.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                connections.spawn(serve(stream, habits, to.clone()));
            }
        });
        Self { address, seen, task }
    }

    fn gateway(&self, route: &str, upstream: &str) -> Gateway {
        Gateway::with_routes(&format!(
            "- path_prefix: /\n  upstream: {{target: \"{}\", protocol: http2{upstream}}}\n{route}",
            self.address
        ))
    }

    /// How often it was asked for paths that begin like this, and for how many different ones.
    fn asked(&self, prefix: &str) -> (usize, usize) {
        let requests = self.seen.requests.lock().unwrap();
        let counts = requests.iter().filter(|(path, _)| path.starts_with(prefix)).map(|(_, count)| count);
        (counts.clone().sum(), counts.count())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Counts down again when it is dropped.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(counter: &'a AtomicUsize) -> Self {
        counter.fetch_add(1, Ordering::SeqCst);
        Self(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn serve(stream: TcpStream, habits: Habits, seen: Arc<Seen>) {
    let _ = stream.set_nodelay(true);
    seen.accepted.fetch_add(1, Ordering::SeqCst);
    let _open = Counted::new(&seen.open);
    seen.most_open.fetch_max(seen.open.load(Ordering::SeqCst), Ordering::SeqCst);
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    let mut streams = JoinSet::new();
    let (mut stalled, mut points, mut count) = (Instant::now(), 100, 0);
    loop {
        let accepted = tokio::select! {
            accepted = connection.accept() => accepted,
            Some(ended) = streams.join_next() => {
                points += if ended.is_ok_and(|well| well) { 20 } else { -50 };
                if points < 0 {
                    seen.calmed.fetch_add(1, Ordering::SeqCst);
                    connection.abrupt_shutdown(h2::Reason::ENHANCE_YOUR_CALM);
                }
                continue;
            }
        };
        let Some(accepted) = accepted else { return };
        if !habits.stall.is_zero() && stalled.elapsed() > Duration::from_millis(10) {
            tokio::time::sleep(habits.stall).await;
            stalled = Instant::now();
        }
        match accepted {
            Ok((request, respond)) => {
                points += 20;
                count += 1;
                if Some(count) == habits.streams {
                    connection.graceful_shutdown();
                }
                *seen.requests.lock().unwrap().entry(request.uri().path().to_owned()).or_default() += 1;
                let answered = answer(request, respond, seen.clone());
                streams.spawn(async move { answered.await.is_some() });
            }
            Err(error) => {
                if error.reason() == Some(h2::Reason::ENHANCE_YOUR_CALM) {
                    seen.calmed.fetch_add(1, Ordering::SeqCst);
                }
                return;
            }
        }
    }
}

async fn answer(
    request: http::Request<h2::RecvStream>,
    mut respond: h2::server::SendResponse<Bytes>,
    seen: Arc<Seen>,
) -> Option<()> {
    let _serving = Counted::new(&seen.serving);
    let (parts, mut body) = request.into_parts();
    let upload = async {
        let mut read = 0;
        while let Some(Ok(data)) = body.data().await {
            let _ = body.flow_control().release_capacity(data.len());
            read += data.len();
        }
        read
    };
    let path = parts.uri.path();
    let wait = if path.starts_with("/slow") { SLOW } else { Duration::ZERO };
    let reset = std::future::poll_fn(|cx| respond.poll_reset(cx));
    let read = tokio::select! {
        _ = reset => return None,
        read = async { let read = upload.await; tokio::time::sleep(wait).await; read } => read,
    };
    let mut stream = respond.send_response(http::Response::new(()), false).ok()?;
    if path.starts_with("/hang") {
        let _ = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
        return None;
    }
    // The end comes in a frame of its own, as it does of many servers.
    stream.send_data(format!("{read} bytes").into(), false).ok()?;
    stream.send_data(Bytes::new(), true).ok()
}

/// Clients that ask on and on, and never give up, until they are told to end.
struct Others {
    end: Arc<AtomicBool>,
    clients: JoinSet<(usize, Vec<String>)>,
}

impl Others {
    fn start(gateway: &Gateway) -> Self {
        let (end, address) = (Arc::new(AtomicBool::new(false)), gateway.address());
        let mut clients = JoinSet::new();
        for number in 0..8 {
            let end = end.clone();
            clients.spawn(async move {
                let mut client = RawClient::connect(address).await;
                let (mut count, mut failures) = (0, Vec::new());
                // A few at least, however slow the machine is.
                while !end.load(Ordering::SeqCst) || count < 12 {
                    count += 1;
                    let path = format!("/other/{number}/{count}");
                    let request = match count % 3 {
                        0 => format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345"),
                        1 => format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"),
                        _ => format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"),
                    };
                    let response = client.exchange(request).await;
                    if response.status() != 200 || !response.complete {
                        failures.push(format!("{path}: {} {}", response.status(), response.text()));
                        client = RawClient::connect(address).await;
                    }
                }
                (count, failures)
            });
        }
        Self { end, clients }
    }

    /// Ends them. None of them may have failed, and none of their requests may have been carried out twice.
    async fn finish(self, origin: &Guarded) {
        self.end.store(true, Ordering::SeqCst);
        let mut sent = 0;
        for (count, failures) in self.clients.join_all().await {
            sent += count;
            assert!(failures.is_empty(), "of {count} requests failed {failures:#?}");
        }
        let (asked, different) = origin.asked("/other");
        assert_eq!(different, sent);
        // What is sent again has not been processed, and a refused request is not seen.
        assert_eq!(asked, sent, "some were processed twice");
    }
}

/// What the cancels may have cost at most.
fn assert_bounded(origin: &Guarded, cancelled: usize) {
    let seen = &origin.seen;
    let (asked, different) = origin.asked("/");
    assert_eq!(asked, different, "the origin was asked twice");
    let accepted = seen.accepted.load(Ordering::SeqCst);
    // Over HTTP/1.1 each would have cost one.
    assert!(accepted <= 10 + cancelled / 3, "{accepted} connections for {cancelled} cancels");
    assert_eq!(seen.calmed.load(Ordering::SeqCst), 0, "the origin lost patience");
}

/// What is left when all have gone: one connection for each of the gateway's workers, and no stream.
async fn assert_clean(origin: &Guarded) {
    eventually("the streams' end", || origin.seen.serving.load(Ordering::SeqCst) == 0).await;
    eventually("the end of what was retired", || origin.seen.open.load(Ordering::SeqCst) <= 2).await;
}

/// So many clients that send a request and go away.
async fn go_away(address: SocketAddr, path: &'static str, count: usize, wait: Duration) {
    let mut clients = JoinSet::new();
    for number in 0..count {
        clients.spawn(async move {
            let mut client = RawClient::connect(address).await;
            let _ = client.try_send(format!("GET {path}/{number} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
            tokio::time::sleep(wait).await;
            client.reset();
        });
        if number % 20 == 19 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    clients.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_go_away_before_the_head_cost_no_other_request() {
    for (wait, stall) in [(0, 0), (5, 0), (100, 0), (0, 100), (20, 300)] {
        let stall = Duration::from_millis(stall);
        let origin = Guarded::start_with(Habits { stall, ..Habits::default() }).await;
        let gateway = origin.gateway("", "");
        let others = Others::start(&gateway);
        go_away(gateway.address(), "/slow", 600, Duration::from_millis(wait)).await;
        tokio::time::sleep(SLOW).await;
        others.finish(&origin).await;
        assert_bounded(&origin, 600);
        assert_clean(&origin).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_go_away_in_the_body_cost_no_other_request() {
    let origin = Guarded::start().await;
    let gateway = origin.gateway("", "");
    let others = Others::start(&gateway);
    go_away(gateway.address(), "/hang", 600, Duration::from_millis(50)).await;
    others.finish(&origin).await;
    assert_bounded(&origin, 600);
    assert_clean(&origin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_go_away_in_their_upload_cost_no_other_request() {
    let origin = Guarded::start().await;
    let gateway = origin.gateway("", "");
    let others = Others::start(&gateway);
    let mut clients = JoinSet::new();
    for number in 0..600 {
        let address = gateway.address();
        clients.spawn(async move {
            let mut client = RawClient::connect(address).await;
            let head = format!("POST /upload/{number} HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n");
            let _ = client.try_send(head + "some of it").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            if number % 2 == 0 {
                client.reset();
            } else {
                // The end of the upload is the client's as well.
                client.finish().await;
                let _ = client.response_within(Duration::from_secs(1)).await;
            }
        });
        if number % 20 == 19 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    clients.join_all().await;
    others.finish(&origin).await;
    assert_bounded(&origin, 600);
    assert_clean(&origin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_clients_that_reset_their_streams_cost_no_other_request() {
    let origin = Guarded::start().await;
    let gateway = origin.gateway("", "");
    let others = Others::start(&gateway);
    let mut clients = JoinSet::new();
    for number in 0..60 {
        let address = gateway.address();
        clients.spawn(async move {
            let mut client = H2Client::connect(address).await;
            let path = if number % 2 == 0 { "slow" } else { "hang" };
            let mut streams = Vec::new();
            for stream in 0..10 {
                let uri = format!("http://x/{path}/{number}/{stream}");
                let request = http::Request::get(uri).body(()).unwrap();
                streams.push(client.sender().send_request(request, true).unwrap());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            for (response, mut stream) in streams {
                stream.send_reset(h2::Reason::CANCEL);
                drop(response);
            }
            // The connection goes on, so that it is the resets that cancel.
            tokio::time::sleep(Duration::from_millis(50)).await;
        });
        if number % 4 == 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    clients.join_all().await;
    others.finish(&origin).await;
    assert_bounded(&origin, 600);
    assert_clean(&origin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_run_out_of_time_cost_no_other_request() {
    let origin = Guarded::start().await;
    let gateway = Gateway::builder(&format!(
        "upstreams:\n  guarded: {{targets: [\"{}\"], protocol: http2}}\n\
         routes:\n- path_prefix: /\n  upstream: guarded\n\
         - path_prefix: /slow\n  upstream: guarded\n  timeout: 50ms\n",
        origin.address
    ))
    .start();
    let others = Others::start(&gateway);
    let mut clients = JoinSet::new();
    for number in 0..300 {
        let address = gateway.address();
        clients.spawn(async move {
            let request = format!("GET /slow/{number} HTTP/1.1\r\nHost: x\r\n\r\n");
            RawClient::once(address, request).await.status()
        });
        if number % 20 == 19 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    assert!(clients.join_all().await.iter().all(|status| *status == 504));
    others.finish(&origin).await;
    assert_bounded(&origin, 300);
    assert_clean(&origin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_limit_of_connections_cancels_cost_no_other_request() {
    for limit in [1, 2] {
        let origin = Guarded::start().await;
        let gateway = origin.gateway("", &format!(", max_connections: {limit}"));
        let others = Others::start(&gateway);
        go_away(gateway.address(), "/slow", 600, Duration::from_millis(20)).await;
        tokio::time::sleep(SLOW).await;
        others.finish(&origin).await;
        assert_bounded(&origin, 600);
        assert!(origin.seen.most_open.load(Ordering::SeqCst) <= limit);
        assert_clean(&origin).await;
    }
}

#[tokio::test]
async fn the_first_cancels_reach_the_origin_at_once() {
    let origin = Guarded::start().await;
    let gateway = origin.gateway("", "");
    for path in ["/slow", "/hang"] {
        let mut client = RawClient::connect(gateway.address()).await;
        client.send(format!("GET {path}/first HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        eventually("the request", || origin.seen.serving.load(Ordering::SeqCst) == 1).await;
        client.reset();
        eventually("the reset", || origin.seen.serving.load(Ordering::SeqCst) == 0).await;
    }
    // The connections that they were on, one of each worker, serve on.
    assert_eq!(origin.seen.open.load(Ordering::SeqCst), origin.seen.accepted.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_long_response_outlives_the_cancels_on_its_connection() {
    let origin = Guarded::start().await;
    let gateway = origin.gateway("", "");
    let mut long = RawClient::connect(gateway.address()).await;
    long.send("GET /hang/long HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(long.head().await.unwrap().line.contains(" 200 "));
    go_away(gateway.address(), "/slow", 200, Duration::from_millis(20)).await;
    eventually("the end of the others", || origin.seen.serving.load(Ordering::SeqCst) == 1).await;
    assert!(long.response_within(Duration::from_millis(100)).await.is_none(), "it was cut off");
    assert_bounded(&origin, 200);
    drop(long);
    assert_clean(&origin).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_origin_that_ends_its_connections_costs_no_request() {
    for streams in [1, 2, 10] {
        let origin = Guarded::start_with(Habits { streams: Some(streams), ..Habits::default() }).await;
        let gateway = origin.gateway("", "");
        let others = Others::start(&gateway);
        go_away(gateway.address(), "/slow", 100, Duration::from_millis(5)).await;
        others.finish(&origin).await;
        assert!(origin.seen.accepted.load(Ordering::SeqCst) > 5);
    }
}
