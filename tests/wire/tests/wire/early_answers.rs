//! Uploads that are answered before they are sent: the answer arrives, also at a client that reads only when it has sent
//! all, as long as it stays within the bound.

use std::{future::poll_fn, net::SocketAddr, time::Duration};

use harness::{
    Frame, Gateway, H2Client, H2Origin, Origin, RawClient, RawH2Client, Reply, Step, TempDir, flag, kind, peer,
    within,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

const UPLOAD: usize = 20_000_000;
const LARGE: &[u8] = &[b'x'; 64 << 10];

/// An origin that answers 413 when it has read the head.
async fn refusing(close: bool) -> Origin {
    Origin::start(move |_| {
        let connection = if close { "Connection: close\r\n" } else { "" };
        let answer = format!("HTTP/1.1 413 Too Large\r\n{connection}Content-Length: 9\r\n\r\ntoo large");
        let mut script = vec![Step::Head, Step::Send(answer.into())];
        if !close {
            // It reads a little more, as servers do, and closes. In a longer time it would have read all, and the connection
            // would serve for the next request.
            script.push(Step::Listen(Duration::from_millis(5)));
        }
        script
    })
    .await
}

/// A gateway whose paths answer early, each in a way of its own.
async fn gateway(origin: SocketAddr, closing: SocketAddr, more: &str) -> (Gateway, TempDir) {
    let dir = TempDir::new();
    // Its connection stays, and is none that another request would meet the end of.
    let once = Origin::ok().await;
    let passwords = dir.write("users", "ann:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n");
    let gateway = Gateway::builder(&format!(
        "{more}
auth: {{staff: {{basic: {{file: \"{}\"}}}}}}
limits: {{once: {{rate: 1/h, key: all}}}}
defaults: {{auth: none}}
routes:
- {{path_prefix: /service, upstream: \"{origin}\"}}
- {{path_prefix: /closing, upstream: \"{closing}\"}}
- {{path_prefix: /staff, upstream: \"{origin}\", auth: staff}}
- {{path_prefix: /once, upstream: \"{}\", limit: once}}
",
        passwords.display(),
        once.address()
    ))
    .start();
    // The one that is allowed.
    RawClient::once(gateway.address(), "GET /once HTTP/1.1\r\nHost: x\r\n\r\n").await;
    (gateway, dir)
}

/// The early answers of the service and of the gateway itself, refused heads too.
const ANSWERS: [(&str, u16); 5] =
    [("/service", 413), ("/closing", 413), ("/staff", 401), ("/once", 429), ("/nowhere", 404)];

fn head(path: &str, extra: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {UPLOAD}\r\n{extra}\r\n")
}

/// Sends all before it reads; the status, or why there is none.
async fn send_all(address: SocketAddr, head: String) -> Result<u16, String> {
    let mut socket = RawClient::connect(address).await.into_socket();
    let exchange = async {
        socket.write_all(head.as_bytes()).await.map_err(|error| format!("head: {error}"))?;
        let mut left = UPLOAD;
        while left > 0 {
            let piece = left.min(LARGE.len());
            socket.write_all(&LARGE[..piece]).await.map_err(|error| format!("{left} bytes left: {error}"))?;
            left -= piece;
        }
        let mut response = vec![0; 12];
        socket.read_exact(&mut response).await.map_err(|error| format!("response: {error}"))?;
        String::from_utf8_lossy(&response[9..]).parse().map_err(|error| format!("{error}"))
    };
    within("an answer", exchange).await
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_gets_its_answer() {
    let (origin, closing) = (refusing(false).await, refusing(true).await);
    let (gateway, _dir) = gateway(origin.address(), closing.address(), "").await;
    for (path, status) in ANSWERS {
        for extra in ["", "Connection: close\r\n"] {
            for _ in 0..4 {
                assert_eq!(send_all(gateway.address(), head(path, extra)).await, Ok(status), "{path} {extra}");
            }
        }
    }
    // A head that breaks a rule, and one that is too large.
    let bad = head("/service", "bad name: x\r\n");
    assert_eq!(send_all(gateway.address(), bad).await, Ok(400));
    let large = head("/service", &format!("x-large: {}\r\n", "x".repeat(70_000)));
    assert_eq!(send_all(gateway.address(), large).await, Ok(431));
}

/// The service keeps its connection open, and reads nothing more.
#[tokio::test]
async fn a_service_that_answers_and_reads_no_more_does_not_hold_the_client() {
    let answer = b"HTTP/1.1 413 Too Large\r\nContent-Length: 9\r\n\r\ntoo large".to_vec();
    let origin = Origin::start(move |_| {
        vec![Step::Head, Step::Send(answer.clone()), Step::Pause(Duration::from_secs(3600))]
    })
    .await;
    // Whoever waits for anything but the second after the response waits for an hour.
    let limits = "timeouts: {body: 1h, stream: 1h, write: 1h}\ndefaults: {timeout: 1h, idle_timeout: 1h}\n";
    let routes = format!("{limits}routes: [{{path_prefix: /, upstream: \"{}\"}}]\n", origin.address());
    let gateway = Gateway::builder(&routes).start();
    assert_eq!(send_all(gateway.address(), head("/", "")).await, Ok(413));
}

#[tokio::test]
async fn clients_of_other_makes_get_their_answers() {
    let (origin, closing) = (refusing(false).await, refusing(true).await);
    let (gateway, dir) = gateway(origin.address(), closing.address(), "").await;
    let upload = dir.write("upload", vec![b'x'; UPLOAD]);
    let data = format!("@{}", upload.display());
    let script = "import http.client, sys\n\
        c = http.client.HTTPConnection(sys.argv[1], timeout=60)\n\
        c.request('POST', sys.argv[2], body=b'x' * int(sys.argv[3]))\n\
        print(c.getresponse().status, end='')\n";
    for (path, status) in ANSWERS {
        let (address, expected) = (gateway.address().to_string(), status.to_string());
        let python = ["-c", script, &address, path, &UPLOAD.to_string()];
        let output = peer::run(&peer::program("python3"), &python).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "python {path}: {output:?}");
        // Not over HTTP/2: some versions of curl take the reset behind the answer for a failure.
        let url = format!("http://{address}{path}");
        let curl = ["-s", "--noproxy", "*", "-H", "Expect:", "-o", "/dev/null", "-w", "%{http_code}"];
        let curl = [&curl[..], &["--data-binary", &data, &url]].concat();
        let output = peer::run(&peer::program("curl"), &curl).await;
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "curl {path}: {output:?}");
    }
}

/// A service over HTTP/2 that answers at once and resets the stream, as nginx does.
#[tokio::test]
async fn the_next_request_is_not_lost_behind_an_early_answer() {
    let origin = H2Origin::answering(|_| Reply::text("ok")).await;
    let early = early_http2().await;
    let gateway = Gateway::with_routes(&format!(
        "- path_prefix: /\n  upstream: {{target: \"{}\", protocol: http2}}\n\
         - path_prefix: /early\n  upstream: {{target: \"{early}\", protocol: http2}}\n",
        origin.address()
    ));
    for length in [10, 10_000, 500_000] {
        let mut client = RawClient::connect(gateway.address()).await;
        for _ in 0..4 {
            // The body comes when the answer has come.
            client.send(format!("POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")).await;
            let response = client.response().await.unwrap();
            assert_eq!(response.status(), 200);
            if response.header("connection") == Some("close") {
                client = RawClient::connect(gateway.address()).await;
                continue;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            client.send(vec![b'x'; length]).await;
            let next = client.exchange("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx").await;
            assert_eq!(next.status(), 200, "{length}");
        }
    }
}

async fn early_http2() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await?;
                while let Some(accepted) = connection.accept().await {
                    let (_, mut respond) = accepted?;
                    // Dropped, the request's body is reset with NO_ERROR.
                    respond.send_response(http::Response::new(()), true)?;
                }
                Ok::<_, h2::Error>(())
            });
        }
    });
    address
}

#[tokio::test]
async fn over_http2_a_client_that_sends_no_more_is_told_that_nothing_more_is_wanted() {
    let (origin, closing) = (refusing(false).await, refusing(true).await);
    let (gateway, _dir) = gateway(origin.address(), closing.address(), "timeouts: {linger_pause: 500ms}").await;
    for (path, status) in [("/closing", 413), ("/staff", 401), ("/once", 429)] {
        let mut client = RawH2Client::connect(gateway.address()).await;
        let fields: [(&[u8], &[u8]); 4] =
            [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"x"), (b":path", path.as_bytes())];
        client.headers(1, &fields, false).await.unwrap();
        for _ in 0..4 {
            let _ = client.send_bytes(&Frame::encode(kind::DATA, flag::NONE, 1, &LARGE[..16_000])).await;
        }
        // The response is whole, and then the stream is reset without an error (RFC 9113, section 8.1).
        let (mut ended, mut code) = (false, None);
        let reading = async {
            while let Some(frame) = client.frame().await {
                ended |= frame.stream == 1
                    && matches!(frame.kind, kind::HEADERS | kind::DATA)
                    && frame.flags & flag::END_STREAM != 0;
                if frame.stream == 1 && frame.kind == kind::RST_STREAM {
                    code = frame.code();
                    break;
                }
            }
        };
        within("the end of the stream", reading).await;
        assert_eq!((ended, code), (true, Some(0)), "{path} {status}");
        // The connection goes on.
        let request = http::Request::post(format!("http://x{path}")).body(vec![b'x'; UPLOAD]).unwrap();
        let mut client = H2Client::connect(gateway.address()).await;
        assert_eq!(client.exchange(request).await.unwrap().status(), status);
        let request = http::Request::get("http://x/nowhere").body(vec![]).unwrap();
        assert_eq!(client.exchange(request).await.unwrap().status(), 404);
    }
}

/// A client over HTTP/2 that sends all before it looks at what came: no reset may hide the answer.
#[tokio::test]
async fn over_http2_an_upload_that_is_answered_early_ends_without_a_reset() {
    let (origin, closing) = (refusing(false).await, refusing(true).await);
    let limits = "timeouts: {linger: 1h, linger_pause: 1h}";
    let (gateway, _dir) = gateway(origin.address(), closing.address(), limits).await;
    for (path, status) in ANSWERS {
        let (sender, connection) =
            h2::client::handshake(TcpStream::connect(gateway.address()).await.unwrap()).await.unwrap();
        tokio::spawn(connection);
        let mut sender = sender.ready().await.unwrap();
        let request = http::Request::post(format!("http://x{path}")).body(()).unwrap();
        let (response, mut upload) = sender.send_request(request, false).unwrap();
        let sending = async {
            let mut left = UPLOAD / 10;
            while left > 0 {
                upload.reserve_capacity(left.min(16_000));
                let room = poll_fn(|cx| upload.poll_capacity(cx)).await.expect("the stream is open").unwrap();
                let piece = room.min(left);
                left -= piece;
                upload.send_data(vec![b'x'; piece].into(), left == 0).unwrap();
            }
        };
        within(path, sending).await;
        let response = within(path, response).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let mut body = response.into_body();
        while let Some(data) = within(path, body.data()).await {
            data.unwrap_or_else(|error| panic!("{path}: {error}"));
        }
    }
}

#[tokio::test]
async fn what_is_thrown_away_is_bounded_in_bytes_and_time() {
    let (origin, closing) = (refusing(false).await, refusing(true).await);
    let addresses = (origin.address(), closing.address());
    let (gateway_of_bytes, _dir) =
        gateway(addresses.0, addresses.1, "client_limits: {max_discarded: 1MiB}").await;
    for (path, _) in ANSWERS {
        let sent = send_all(gateway_of_bytes.address(), head(path, "")).await;
        assert!(sent.is_err(), "{path}: {sent:?}");
    }
    let (gateway, _dir) =
        gateway(addresses.0, addresses.1, "timeouts: {linger: 2s, linger_pause: 500ms}").await;
    for (path, _) in ANSWERS {
        // One that goes on has two seconds.
        let mut socket = RawClient::connect(gateway.address()).await.into_socket();
        socket.write_all(head(path, "").as_bytes()).await.unwrap();
        let started = Instant::now();
        let dripping = async {
            while socket.write_all(&LARGE[..1000]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        within(path, dripping).await;
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(1500), "{path}: {took:?}");
        // One that is silent has half a second. While a service may still want the body, `timeouts.stream` holds.
        if matches!(path, "/service" | "/closing") {
            continue;
        }
        let mut socket = RawClient::connect(gateway.address()).await.into_socket();
        socket.write_all(head(path, "").as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(3500)).await;
        let _ = socket.write_all(b"x").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(socket.write_all(b"x").await.is_err(), "{path}");
    }
}
