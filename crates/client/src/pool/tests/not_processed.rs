//! Requests on HTTP/2 connections that end, and how far they came.

use http_body::Body as _;

use super::*;

/// What an endpoint does when the second request of its first connection has come.
#[derive(Debug, Clone, Copy)]
enum Then {
    /// Says that it takes up no stream beyond the first one, with this code (RFC 9113, section 6.8).
    GoAway(h2::Reason),
    /// Resets the stream.
    ResetStream(h2::Reason),
    /// Closes the connection.
    Close,
}

const SETTINGS: u8 = 4;
pub(super) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const GOAWAY: u8 = 7;

pub(super) fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).expect("a short frame");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], payload].concat()
}

/// Reads frames up to a request's head.
pub(super) async fn read_head(stream: &mut TcpStream) {
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return;
        }
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let _ = stream.read_exact(&mut vec![0; length]).await;
        if head[3] == HEADERS {
            return;
        }
    }
}

/// Answers a connection's first request, with frames made by hand.
pub(super) async fn answer_first(stream: &mut TcpStream) {
    let _ = stream.read_exact(&mut [0; b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len()]).await;
    let _ = stream.write_all(&frame(SETTINGS, 0, 0, b"")).await;
    read_head(stream).await;
    // `:status: 200` and the end of the stream.
    let _ = stream.write_all(&frame(HEADERS, 0x5, 1, &[0x88])).await;
}

/// A pool whose first connection has answered a request, and what it does with the next one.
async fn used_once(then: Then) -> Pool<Body> {
    let connections = AtomicUsize::new(0);
    let (builder, _) = origin(move |mut stream| {
        let first = connections.fetch_add(1, Ordering::SeqCst) == 0;
        async move {
            answer_first(&mut stream).await;
            if !first {
                return std::future::pending().await;
            }
            read_head(&mut stream).await;
            let end = match then {
                Then::GoAway(code) => {
                    frame(GOAWAY, 0, 0, &[&1_u32.to_be_bytes()[..], &u32::from(code).to_be_bytes()].concat())
                }
                Then::ResetStream(code) => frame(RST_STREAM, 0, 3, &u32::from(code).to_be_bytes()),
                Then::Close => return,
            };
            let _ = stream.write_all(&end).await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
    .await;
    let pool = builder.protocol(Protocol::Http2).build();
    send_http2(&pool).await.expect("answers");
    pool
}

async fn send_second(then: Then, body: Body) -> (Error, Option<Request<Body>>) {
    let pool = used_once(then).await;
    let connection = pool.checkout(Require::Any).await.expect("is open");
    assert!(connection.is_reused());
    let request = Request::post("http://origin/a?b").header("x-a", "b").body(body).expect("a request");
    connection.send(request).await.expect_err("fails").into_parts()
}

fn assert_whole(request: Option<Request<Body>>) -> Body {
    let (head, body) = request.expect("is given back").into_parts();
    assert_eq!((head.method.as_str(), head.uri.path(), head.uri.query()), ("POST", "/a", Some("b")));
    assert_eq!(head.headers["x-a"], "b");
    body
}

const REFUSALS: [Then; 5] = [
    Then::GoAway(h2::Reason::NO_ERROR),
    Then::GoAway(h2::Reason::ENHANCE_YOUR_CALM),
    Then::GoAway(h2::Reason::INTERNAL_ERROR),
    Then::GoAway(h2::Reason::PROTOCOL_ERROR),
    Then::ResetStream(h2::Reason::REFUSED_STREAM),
];

#[tokio::test]
async fn a_request_that_was_not_processed_is_given_back() {
    for then in REFUSALS {
        let (error, request) = send_second(then, Body::empty()).await;
        assert!(error.is_unsent(), "{then:?}: {error:?}");
        assert_eq!(error.is_refused(), matches!(then, Then::ResetStream(_)));
        assert!(assert_whole(request).is_end_stream());
    }
}

#[tokio::test]
async fn a_body_of_which_nothing_is_gone_is_given_back() {
    for then in REFUSALS {
        let (feed, held) = tokio::sync::oneshot::channel();
        let (error, request) = send_second(then, Body::new(Held(held))).await;
        assert!(error.is_unsent(), "{then:?}: {error:?}");
        let mut body = assert_whole(request);
        feed.send(Bytes::from("all of it")).expect("the body is there");
        let frame = body.frame().await.expect("is whole").expect("is whole");
        assert_eq!(frame.into_data().expect("is data"), "all of it");
    }
}

/// What was taken of the body, and what is left of it.
async fn replayed(then: Then, body: Body) -> Option<(Bytes, Option<Body>)> {
    let pool = used_once(then).await;
    let connection = pool.checkout(Require::Any).await.expect("is open");
    let request = Request::post("http://origin/a?b").header("x-a", "b").body(body).expect("a request");
    let (error, given_back) = connection.send(request).await.expect_err("fails").into_replay();
    assert!(error.is_unsent(), "{then:?}: {error:?}");
    let (request, mut taken) = given_back?;
    let rest = assert_whole(Some(request));
    let frames = std::iter::from_fn(|| taken.next_frame()?.into_data().ok()).collect::<Vec<_>>();
    Some((frames.concat().into(), (!taken.is_all()).then_some(rest)))
}

#[tokio::test]
async fn a_body_that_has_left_is_given_back_up_to_a_cap() {
    for then in REFUSALS {
        let (taken, rest) = replayed(then, Body::once("all of it")).await.expect("is given back");
        let rest = match rest {
            Some(rest) => rest.collect().await.expect("is whole").to_bytes(),
            None => Bytes::new(),
        };
        assert_eq!([taken, rest].concat(), b"all of it", "{then:?}");
    }
}

/// The endpoint's window is 65,535 bytes, so that no more can have left.
#[tokio::test]
async fn a_body_that_is_longer_than_the_cap_is_given_back_unless_more_than_that_has_left() {
    for length in [(64 << 10) - 1, 64 << 10, (64 << 10) + 1, 200_000] {
        for then in REFUSALS {
            let given_back = replayed(then, Body::once(vec![b'x'; length])).await;
            let (taken, rest) = given_back.unwrap_or_else(|| panic!("{then:?}: {length} are lost"));
            let rest = match rest {
                Some(rest) => rest.collect().await.expect("is whole").to_bytes(),
                None => Bytes::new(),
            };
            assert_eq!(taken.len() + rest.len(), length, "{then:?}");
        }
    }
}

#[tokio::test]
async fn a_body_that_has_left_is_not_taken_for_a_whole_one() {
    for then in REFUSALS {
        let (error, request) = send_second(then, Body::once("gone")).await;
        assert!(error.is_unsent() && request.is_none(), "{then:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_request_whose_http2_connection_closes_unanswered_is_given_back() {
    let (error, request) = send_second(Then::Close, Body::empty()).await;
    assert!(error.is_unanswered() && !error.is_unsent(), "{error:?}");
    assert_whole(request);
}

#[tokio::test]
async fn a_stream_that_was_reset_for_another_reason_may_have_been_processed() {
    for code in [h2::Reason::INTERNAL_ERROR, h2::Reason::CANCEL, h2::Reason::NO_ERROR] {
        let (error, request) = send_second(Then::ResetStream(code), Body::empty()).await;
        assert!(!error.is_unsent() && !error.is_unanswered() && request.is_none(), "{error:?}");
    }
}

#[tokio::test]
async fn a_request_whose_http2_connection_closed_before_it_left_is_unsent() {
    let (close, wait) = std::sync::mpsc::channel::<()>();
    let (done, closed) = std::sync::mpsc::channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let target = listener.local_addr().expect("is bound").to_string();
    std::thread::spawn(move || {
        use std::io::Write;
        let (stream, _) = listener.accept().expect("a connection");
        // The first request's answer may come before it does: the client has opened the stream by then.
        let mut writing = stream.try_clone().expect("a second handle");
        let _ = writing.write_all(&frame(SETTINGS, 0, 0, b""));
        wait.recv().expect("the test goes on");
        let _ = writing.write_all(&frame(HEADERS, 0x5, 1, &[0x88]));
        wait.recv().expect("the test goes on");
        // What it has not read makes a reset of the close, so that the next write finds the connection broken.
        drop((stream, writing));
        let _ = done.send(());
    });
    let pool = PoolBuilder::new(target.parse().expect("a target")).protocol(Protocol::Http2).build();
    let first = pool.checkout(Require::Any).await.expect("connects");
    let request = || Request::post("http://origin/a?b").header("x-a", "b").body(Body::empty());
    let mut first = Box::pin(first.send(request().expect("a request")));
    // Long enough for the request to leave.
    assert!(tokio::time::timeout(Duration::from_millis(200), &mut first).await.is_err());
    close.send(()).expect("the origin waits");
    read(first.await.expect("answers")).await.expect("a body");

    let second = pool.checkout(Require::Any).await.expect("is open");
    close.send(()).expect("the origin waits");
    // The thread is blocked meanwhile, so that the runtime cannot learn of the end.
    closed.recv().expect("the origin has closed it");
    let (error, request) = second.send(request().expect("a request")).await.expect_err("fails").into_parts();
    assert!(error.is_unsent() && !error.is_refused(), "{error:?}");
    assert_whole(request);
}
