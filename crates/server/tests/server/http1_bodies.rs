//! Bodies of requests over a real socket: chunks, trailers, early responses, what is left unread.

use std::time::Duration;

use crate::support::{finish, limits, plain, raw, raw_with, start, start_with};
use gatewright_core::{Body, RequestRecord};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_millis(150);

fn chunked(path: &str, rest: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{rest}").into_bytes()
}

fn broken_chunks() -> Vec<(&'static str, String)> {
    vec![
        ("no size", "\r\nhello\r\n0\r\n\r\n".into()),
        ("size that is no number", "z\r\nhello\r\n0\r\n\r\n".into()),
        ("size with a prefix", "0x5\r\nhello\r\n0\r\n\r\n".into()),
        ("size with a sign", "+5\r\nhello\r\n0\r\n\r\n".into()),
        ("negative size", "-5\r\nhello\r\n0\r\n\r\n".into()),
        ("size with an underscore", "5_\r\nhello\r\n0\r\n\r\n".into()),
        ("space before the size", " 5\r\nhello\r\n0\r\n\r\n".into()),
        ("space after the size", "5 \r\nhello\r\n0\r\n\r\n".into()),
        ("tab after the size", "5\t\r\nhello\r\n0\r\n\r\n".into()),
        ("size beyond 64 bits", "10000000000000005\r\nhello\r\n0\r\n\r\n".into()),
        ("size beyond a signed 64-bit number", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n".into()),
        ("size of many zeros", format!("{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(40))),
        ("bare LF after the size", "5\nhello\r\n0\r\n\r\n".into()),
        ("bare CR after the size", "5\rhello\r\n0\r\n\r\n".into()),
        ("bare LF after the data", "5\r\nhello\n0\r\n\r\n".into()),
        ("bare CR after the data", "5\r\nhello\r0\r\n\r\n".into()),
        ("other bytes after the data", "5\r\nhelloxx0\r\n\r\n".into()),
        ("data longer than the size", "4\r\nhello\r\n0\r\n\r\n".into()),
        ("data shorter than the size", "6\r\nhello\r\n0\r\n\r\n".into()),
        ("bare LF in an extension", "5;a\nhello\r\n0\r\n\r\n".into()),
        ("bare CR in an extension", "5;a\rb\r\nhello\r\n0\r\n\r\n".into()),
        ("NUL in an extension", "5;\0\r\nhello\r\n0\r\n\r\n".into()),
        ("extension beyond ASCII", "5;\u{e9}\r\nhello\r\n0\r\n\r\n".into()),
        ("long extension", format!("5;{}\r\nhello\r\n0\r\n\r\n", "a".repeat(2000))),
        ("long extension of the last chunk", format!("5\r\nhello\r\n0;{}\r\n\r\n", "a".repeat(2000))),
        ("bare LF after the last chunk", "5\r\nhello\r\n0\n\r\n".into()),
        ("bare LF for the end", "5\r\nhello\r\n0\r\n\n".into()),
        ("bare CR for the end", "5\r\nhello\r\n0\r\n\rX".into()),
        ("folded trailer", "0\r\nx: y\r\n z\r\n\r\n".into()),
        ("trailer without a colon", "0\r\nxy\r\n\r\n".into()),
        ("trailer with a space before its colon", "0\r\nx : y\r\n\r\n".into()),
        ("trailer with bytes beyond ASCII in its name", "0\r\nx\u{e9}: z\r\n\r\n".into()),
        ("trailer with a NUL", "0\r\nx: \0\r\n\r\n".into()),
        ("trailer with a bare LF", "0\r\nx: y\nz: a\r\n\r\n".into()),
        ("a length as a trailer", "0\r\ncontent-length: 5\r\n\r\n".into()),
        ("a coding as a trailer", "0\r\ntransfer-encoding: chunked\r\n\r\n".into()),
        ("a host as a trailer", "0\r\nhost: b\r\n\r\n".into()),
        ("an upgrade as a trailer", "0\r\nupgrade: websocket\r\n\r\n".into()),
        ("101 trailers", format!("0\r\n{}\r\n", "x: y\r\n".repeat(101))),
        ("trailers of 20 KiB", format!("0\r\nx: {}\r\n\r\n", "a".repeat(20 * 1024))),
        ("trailers without end", format!("0\r\nx: {}", "a".repeat(20 * 1024))),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_body_fails_in_the_service_and_is_answered_with_400() {
    let server = start(limits());
    for (name, rest) in broken_chunks() {
        let outcome = raw(server.address, &chunked("/", &rest)).await;
        assert_eq!(outcome.statuses(), [400], "{name}");
        assert!(outcome.closed, "{name}: stays open");
        assert_eq!(outcome.answers[0].header("connection"), Some("close"), "{name}");
    }
    assert_eq!(server.calls(), broken_chunks().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_body_fails_all_the_same_when_each_byte_comes_alone() {
    let server = start(limits());
    for (name, rest) in broken_chunks().into_iter().filter(|(_, rest)| rest.len() < 200) {
        let mut stream = server.connect().await;
        stream.write_all(&chunked("/", "")).await.expect("sends");
        for byte in rest.as_bytes().chunks(1) {
            if stream.write_all(byte).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let outcome = finish(&mut stream, PATIENCE).await;
        assert_eq!((outcome.statuses(), outcome.closed), (vec![400], true), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_broken_body_is_never_a_request() {
    let server = start(limits());
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    for (name, rest) in broken_chunks() {
        let calls = server.calls();
        raw(server.address, &chunked("/", &format!("{rest}{smuggled}"))).await;
        assert_eq!(server.calls(), calls + 1, "{name}");
    }
    // Nor when the service did not read the body.
    for (name, rest) in broken_chunks() {
        let calls = server.calls();
        let outcome = raw(server.address, &chunked("/early", &format!("{rest}{smuggled}"))).await;
        assert_eq!(server.calls(), calls + 1, "{name}");
        assert!(outcome.closed, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_hides_the_failure_is_overruled() {
    let service = tower::service_fn(|request: Request<Body>| async move {
        let _ = request.into_body().collect().await;
        let response = Response::builder().header("x-request-id", "known");
        Ok::<_, std::convert::Infallible>(response.body(Body::once("all is well")).expect("a response"))
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    let outcome = raw(server.address, &chunked("/", "z\r\n")).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![400], true));
    assert_eq!(outcome.answers[0].header("x-request-id"), Some("known"));
    assert_eq!(server.reasons(), ["bad_chunk_size"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_error_of_a_broken_body_says_that_the_client_is_at_fault() {
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let service = tower::service_fn(move |request: Request<Body>| {
        let sender = sender.clone();
        async move {
            let failure = request.into_body().collect().await.expect_err("it is broken");
            sender.send(failure.kind()).expect("the test waits");
            crate::support::once("")
        }
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    raw(server.address, &chunked("/", "5\r\nhello\r\nz\r\n")).await;
    assert_eq!(receiver.recv().await, Some(gatewright_core::ErrorKind::RequestBody));
}

#[tokio::test(flavor = "multi_thread")]
async fn well_formed_bodies_pass_and_the_connection_stays() {
    let server = start(limits());
    for (name, rest, body, trailers) in [
        ("chunks", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", "0"),
        ("upper-case size", "A\r\n0123456789\r\n0\r\n\r\n", "0123456789", "0"),
        ("zeros before the size", "0005\r\nhello\r\n000\r\n\r\n", "hello", "0"),
        ("extensions", "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "hello", "0"),
        ("trailers", "5\r\nhello\r\n0\r\nx-sum: 1\r\ny: 2\r\n\r\n", "hello", "2"),
        ("no data", "0\r\n\r\n", "", "0"),
    ] {
        let twice = [chunked("/", rest), chunked("/", rest)].concat();
        let outcome = raw(server.address, &twice).await;
        assert_eq!((outcome.statuses(), outcome.closed), (vec![200, 200], false), "{name}");
        for answer in &outcome.answers {
            assert_eq!(String::from_utf8_lossy(&answer.body), body, "{name}");
            assert_eq!(answer.header("x-trailers"), Some(trailers), "{name}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_one_packet_are_answered_in_order() {
    let server = start(limits());
    let mut bytes = Vec::new();
    for index in 0..100 {
        bytes.extend(format!("POST /{index} HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc").into_bytes());
    }
    bytes.extend(b"GET / HTTP/1.1\r\nhost: a\r\nbroken\r\n\r\n");
    let outcome = raw(server.address, &bytes).await;
    assert_eq!(outcome.answers.len(), 101);
    for (index, answer) in outcome.answers[..100].iter().enumerate() {
        assert_eq!(answer.header("x-uri"), Some(&*format!("/{index}")));
    }
    assert_eq!((outcome.answers[100].status, outcome.closed), (400, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_left_unread_never_becomes_a_request() {
    let server = start(limits());
    let smuggled = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";
    // A body that is there in whole is passed over.
    let whole =
        format!("POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{smuggled}", smuggled.len());
    let outcome = raw(server.address, whole.as_bytes()).await;
    assert_eq!((outcome.statuses(), server.calls()), (vec![200], 1));
    // One that is not there closes the connection.
    let partial = format!("POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n{smuggled}");
    let outcome = raw(server.address, partial.as_bytes()).await;
    assert_eq!((outcome.statuses(), outcome.closed, server.calls()), (vec![200], true, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_response_survives_a_client_that_goes_on_sending() {
    let server = start(limits());
    for _ in 0..10 {
        let mut stream = server.connect().await;
        let head = b"POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 600000\r\n\r\n";
        stream.write_all(head).await.expect("sends");
        // A reset would make one of these fail, or take the response away.
        let body = vec![b'x'; 300_000];
        let _ = stream.write_all(&body).await;
        let _ = stream.write_all(&body).await;
        let outcome = finish(&mut stream, Duration::from_secs(3)).await;
        assert_eq!((outcome.statuses(), outcome.closed), (vec![200], true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_last_response_survives_what_comes_after_its_request() {
    let server = start(limits());
    for after in [&b"\r\n"[..], b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        for _ in 0..20 {
            let request = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
            let outcome = raw(server.address, &[request, after].concat()).await;
            assert_eq!((outcome.statuses(), outcome.closed), (vec![200], true));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_survives_a_client_that_goes_on_sending() {
    let server = start(limits());
    for _ in 0..10 {
        let mut stream = server.connect().await;
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nbroken\r\n\r\n").await;
        for _ in 0..5 {
            let _ = stream.write_all(&[b'x'; 50_000]).await;
        }
        let outcome = finish(&mut stream, Duration::from_secs(3)).await;
        assert_eq!((outcome.statuses(), outcome.closed), (vec![400], true));
    }
}

/// Linux gives what was received before it tells of a reset, other systems do not; that the connection still takes
/// bytes after its end was announced shows that none was sent.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_connection_is_read_from_for_a_moment() {
    let server = start(limits());
    for request in [
        &b"GET / HTTP/1.1\r\nhost: a\r\nbroken\r\n\r\n"[..],
        b"POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nz\r\n",
    ] {
        let mut stream = server.connect().await;
        stream.write_all(request).await.expect("sends");
        assert!(finish(&mut stream, Duration::from_secs(1)).await.closed);
        for _ in 0..5 {
            stream.write_all(b"more").await.expect("no reset");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    // But not for ever, nor without an end.
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nbroken\r\n\r\n").await.expect("sends");
    assert!(finish(&mut stream, Duration::from_secs(1)).await.closed);
    let written = async { while stream.write_all(&[b'x'; 16 * 1024]).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(4), written).await.expect("is cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_early_fails() {
    let server = start(limits());
    for head in ["content-length: 10\r\n\r\nhello", "transfer-encoding: chunked\r\n\r\n5\r\nhel"] {
        let mut stream = server.connect().await;
        stream.write_all(format!("POST / HTTP/1.1\r\nhost: a\r\n{head}").as_bytes()).await.expect("sends");
        stream.shutdown().await.expect("half-closes");
        let outcome = finish(&mut stream, Duration::from_secs(1)).await;
        assert_eq!((outcome.statuses(), outcome.closed), (vec![400], true), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_panics_of_the_service_are_answered_with_500() {
    let server = start(limits());
    for path in ["/panic", "/error"] {
        let last = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let twice = format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n{last}");
        // A panic may print its backtrace first, which takes its time.
        let outcome = raw_with(server.address, twice.as_bytes(), Duration::from_secs(30)).await;
        assert_eq!(outcome.statuses(), [500, 200], "{path}");
        assert_eq!(outcome.answers[0].header("content-type"), Some("application/problem+json"));
        assert!(outcome.answers[0].header("x-request-id").is_some());
        assert!(!String::from_utf8_lossy(&outcome.answers[0].body).contains("as told"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_expects_it_is_told_to_continue() {
    let server = start(limits());
    let mut stream = server.connect().await;
    let head = b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 5\r\n\r\n";
    stream.write_all(head).await.expect("sends");
    let mut buffer = [0; 256];
    let read = stream.read(&mut buffer).await.expect("reads");
    assert_eq!(&buffer[..read], b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.expect("sends");
    let outcome = finish(&mut stream, PATIENCE).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![200], false));
    assert_eq!(outcome.answers[0].body, b"hello");
    // One that is answered at once is not.
    let early = b"POST /early HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
    let outcome = raw(server.address, early).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![200], true));
}

/// Sends two interim responses, waits as told by the query, and answers.
async fn hinting(request: Request<Body>) -> Result<Response<Body>, std::convert::Infallible> {
    let record = RequestRecord::of(request.extensions()).expect("a record").clone();
    let interim = record.connection().and_then(|connection| connection.interim()).expect("HTTP/1").clone();
    let mut headers = http::HeaderMap::new();
    headers.insert("link", "</a.css>; rel=preload".parse().expect("a value"));
    headers.insert("content-length", "5".parse().expect("a value"));
    interim.send(StatusCode::EARLY_HINTS, &headers);
    interim.send(StatusCode::CONTINUE, &headers);
    interim.send(StatusCode::SWITCHING_PROTOCOLS, &headers);
    interim.send(StatusCode::OK, &headers);
    if request.uri().query() == Some("wait") {
        tokio::time::sleep(Duration::from_millis(100)).await;
        interim.send(StatusCode::PROCESSING, &http::HeaderMap::new());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let expects = request.headers().contains_key("expect");
    let body = request.into_body().collect().await.expect("a body").to_bytes();
    if expects {
        interim.send(StatusCode::PROCESSING, &http::HeaderMap::new());
    }
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(20)).await;
        // Too late: the response is on its way.
        interim.send(StatusCode::EARLY_HINTS, &http::HeaderMap::new());
    });
    Ok(Response::new(Body::once(body)))
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_responses_go_out_before_the_response_they_are_for() {
    let server = start_with(tower::service_fn(hinting), |builder| builder.listener(plain()));
    let get = |query: &str| format!("GET /{query} HTTP/1.1\r\nhost: a\r\n\r\n");
    let outcome = raw(server.address, format!("{}{}", get(""), get("")).as_bytes()).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![103, 200, 103, 200], false));
    assert_eq!(outcome.answers[0].head, "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload");

    let mut stream = server.connect().await;
    stream.write_all(get("?wait").as_bytes()).await.expect("sends");
    let mut buffer = [0; 256];
    let read = stream.read(&mut buffer).await.expect("reads");
    assert!(buffer[..read].ends_with(b"rel=preload\r\n\r\n"), "the hint comes at once");
    let outcome = finish(&mut stream, Duration::from_millis(400)).await;
    assert_eq!(outcome.statuses(), [102, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn interim_responses_and_100_continue_get_along() {
    let server = start_with(tower::service_fn(hinting), |builder| builder.listener(plain()));
    let mut stream = server.connect().await;
    let head = b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
    stream.write_all(head).await.expect("sends");
    tokio::time::sleep(Duration::from_millis(50)).await;
    stream.write_all(b"ok").await.expect("sends");
    let outcome = finish(&mut stream, PATIENCE).await;
    assert_eq!(outcome.statuses(), [103, 100, 102, 200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn http_1_0_gets_no_interim_response() {
    let server = start_with(tower::service_fn(hinting), |builder| builder.listener(plain()));
    let outcome = raw(server.address, b"GET / HTTP/1.0\r\nhost: a\r\n\r\n").await;
    assert_eq!(outcome.statuses(), [200]);
}

/// Gives one frame, and fails a little later.
struct CutShort(Option<bytes::Bytes>, std::pin::Pin<Box<tokio::time::Sleep>>);

impl http_body::Body for CutShort {
    type Data = bytes::Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, &'static str>>> {
        if let Some(first) = self.0.take() {
            return std::task::Poll::Ready(Some(Ok(http_body::Frame::data(first))));
        }
        std::task::ready!(std::future::Future::poll(self.1.as_mut(), cx));
        std::task::Poll::Ready(Some(Err("the upstream failed")))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_cut_short_is_never_taken_for_a_whole_one() {
    let service = tower::service_fn(|_: Request<Body>| async {
        let pause = Box::pin(tokio::time::sleep(Duration::from_millis(50)));
        let body = Body::new(CutShort(Some(bytes::Bytes::from_static(b"half")), pause));
        Ok::<_, std::convert::Infallible>(Response::new(body))
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    // In HTTP/1.1 the last chunk is missing, in HTTP/1.0 nothing but a reset can tell.
    for version in ["1.1", "1.0"] {
        let mut stream = server.connect().await;
        stream.write_all(format!("GET / HTTP/{version}\r\nhost: a\r\n\r\n").as_bytes()).await.expect("sends");
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes).await;
        assert!(version == "1.1" || ended.is_err(), "a clean end after {}", bytes.escape_ascii());
        assert!(bytes.ends_with(b"half") || bytes.ends_with(b"half\r\n"), "{}", bytes.escape_ascii());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_cut_short_takes_no_earlier_one_along() {
    const WHOLE: usize = 30_000;
    let service = tower::service_fn(|request: Request<Body>| async move {
        let body = match request.uri().path() {
            "/whole" => Body::once(vec![b'w'; WHOLE]),
            _ => Body::new(CutShort(None, Box::pin(tokio::time::sleep(Duration::ZERO)))),
        };
        Ok::<_, std::convert::Infallible>(Response::new(body))
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    // So small that most of the response waits on the server's side.
    socket.set_recv_buffer_size(4096).expect("a size");
    let mut stream = socket.connect(server.address).await.expect("connects");
    let requests = ["/whole", "/cut"].map(|path| format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n"));
    stream.write_all(requests.concat().as_bytes()).await.expect("sends");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    assert_eq!(bytes.iter().filter(|byte| **byte == b'w').count(), WHOLE, "of {}", bytes.len());
}
