//! What endpoints are sent.

use std::{collections::VecDeque, task::Context};

use gatewright_core::ErrorKind;
use http_body::{Frame, SizeHint};
use tokio::{io::AsyncReadExt, sync::mpsc};

use super::*;

/// A body of these frames; between them it is waited for where `None` stands.
struct Frames {
    frames: VecDeque<Option<Frame<Bytes>>>,
    hint: Option<u64>,
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.frames.pop_front() {
            None => Poll::Ready(None),
            Some(Some(frame)) => Poll::Ready(Some(Ok(frame))),
            Some(None) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.hint.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn frames(data: &[Option<&[u8]>], hint: Option<u64>) -> Body {
    let frame = |data: &[u8]| Frame::data(Bytes::copy_from_slice(data));
    Body::new(Frames { frames: data.iter().map(|data| data.map(frame)).collect(), hint })
}

fn post(fields: &[(&str, &str)], body: Body) -> Request<Body> {
    let mut request = Request::post("/a?b").header("host", "origin");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(body).expect("a request")
}

/// What the endpoint gets before it answers.
async fn sent(request: Request<Body>) -> Result<String, Error> {
    let (connection, mut far) = connection();
    let exchange = tokio::spawn(seen(Exchange::new(connection, request, None)));
    let mut got = Vec::new();
    // Everything has left when nothing more comes for a while of a test's time.
    let mut idle = 0;
    while idle < 10 && !exchange.is_finished() {
        let mut buffer = vec![0; 64 << 10];
        tokio::select! {
            biased;
            read = far.read(&mut buffer) => {
                got.extend_from_slice(&buffer[..read.expect("reads")]);
                idle = 0;
            }
            () = tokio::task::yield_now() => idle += 1,
        }
    }
    if !exchange.is_finished() {
        far.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("is open");
    }
    let seen = exchange.await.expect("no panic")?;
    assert!(seen.reusable);
    Ok(String::from_utf8(got).expect("text"))
}

#[tokio::test]
async fn a_request_is_written_with_one_length() {
    let hello = || frames(&[Some(b"hel"), None, Some(b"lo")], None);
    let head = "POST /a?b HTTP/1.1\r\nhost: origin\r\n";
    let chunked = "transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    for (request, rest) in [
        (post(&[], Body::empty()), "content-length: 0\r\n\r\n"),
        (post(&[("content-length", "5")], Body::empty()), "content-length: 0\r\n\r\n"),
        (post(&[("transfer-encoding", "chunked")], Body::empty()), "content-length: 0\r\n\r\n"),
        (post(&[], Body::once("hello")), "content-length: 5\r\n\r\nhello"),
        (post(&[("content-length", "7")], Body::once("hello")), "content-length: 5\r\n\r\nhello"),
        (post(&[("transfer-encoding", "gzip")], Body::once("hello")), "content-length: 5\r\n\r\nhello"),
        (post(&[("content-length", "5")], hello()), "content-length: 5\r\n\r\nhello"),
        (post(&[], hello()), chunked),
        (post(&[("content-length", "5"), ("transfer-encoding", "chunked")], hello()), chunked),
        (post(&[("content-length", "x")], hello()), chunked),
    ] {
        assert_eq!(sent(request).await.expect("is sent"), format!("{head}{rest}"));
    }
    for (uri, target) in
        [("/", "/"), ("http://a", "/"), ("http://a?b", "/?b"), ("http://a/b?c", "/b?c"), ("*", "*")]
    {
        let mut request = get();
        *request.uri_mut() = uri.parse().expect("a URI");
        let expected = format!("GET {target} HTTP/1.1\r\nhost: origin\r\n\r\n");
        assert_eq!(sent(request).await.expect("is sent"), expected);
    }
}

#[tokio::test]
async fn large_frames_and_many_frames_arrive_as_they_are() {
    let large = vec![b'x'; 100_000];
    let many: Vec<_> = (0..5000).map(|_| Some(&b"0123456789"[..])).collect();
    for (body, length) in [(frames(&[Some(&large)], None), 100_000), (frames(&many, None), 50_000)] {
        let got = sent(post(&[], body)).await.expect("is sent");
        let (_, chunks) = got.split_once("\r\n\r\n").expect("has a head");
        let (mut received, mut lines) = (chunks.as_bytes().into(), super::super::lines::Lines::new());
        let (mut chunked, mut read) = (super::super::chunked::Chunked::new(), 0);
        while let super::super::chunked::Next::Data(data) =
            chunked.next(&mut received, &mut lines).expect("is sound")
        {
            read += data.len();
        }
        assert_eq!(read, length);
        assert!(received.is_empty());
    }
    let got = sent(post(&[], frames(&[Some(&large)], Some(100_000)))).await.expect("is sent");
    assert!(got.ends_with(&format!("content-length: 100000\r\n\r\n{}", String::from_utf8_lossy(&large))));
}

#[tokio::test]
async fn trailers_follow_the_last_chunk_without_those_that_frame() {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "1".parse().expect("a value"));
    trailers.insert("content-length", "9".parse().expect("a value"));
    let frames = [Some(Frame::data(Bytes::from("hello"))), None, Some(Frame::trailers(trailers))];
    let body = Body::new(Frames { frames: frames.into(), hint: None });
    let got = sent(post(&[], body)).await.expect("is sent");
    assert!(got.ends_with("\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 1\r\n\r\n"), "{got}");
}

#[tokio::test]
async fn a_body_of_another_length_than_promised_is_not_completed() {
    for body in [frames(&[Some(b"hell"), None], Some(5)), frames(&[Some(b"hello!")], Some(5))] {
        let (connection, mut far) = connection();
        let error = Exchange::<Body, ()>::new(connection, post(&[], body), None).await.expect_err("fails");
        let (error, request) = error.into_parts();
        assert_eq!(error.kind(), ErrorKind::RequestBody);
        assert!(request.is_none());
        let mut got = String::new();
        far.read_to_string(&mut got).await.expect("is closed");
        assert!(!got.ends_with("hello"), "{got}");
    }
}

#[tokio::test]
async fn a_request_of_which_no_byte_left_is_given_back() {
    for bytes in [&b""[..], b"HTTP/1.1 408 Request Timeout\r\n\r\n"] {
        let (connection, mut far) = connection();
        far.write_all(bytes).await.expect("is open");
        drop(far);
        let request = post(&[], frames(&[Some(b"hello")], None));
        let error = Exchange::<Body, ()>::new(connection, request, None).await.expect_err("is closed");
        let (error, request) = error.into_parts();
        assert!(error.is_unsent() && error.kind() == ErrorKind::Closed);
        let body = request.expect("is given back").into_body().collect().await.expect("is whole");
        assert_eq!(body.to_bytes(), "hello");
    }
}

/// A body that is fed from elsewhere.
struct Fed(mpsc::UnboundedReceiver<Result<Bytes, Error>>);

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.0.poll_recv(cx).map(|data| data.map(|data| data.map(Frame::data)))
    }
}

const EARLY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe";

/// A request whose response has begun already, while its body is fed.
async fn overtaken(
    early: &str,
) -> (http::Response<Incoming<()>>, mpsc::UnboundedSender<Result<Bytes, Error>>, DuplexStream) {
    let (feed, fed) = mpsc::unbounded_channel();
    let (connection, mut far) = connection();
    let exchange = Exchange::new(connection, post(&[], Body::new(Fed(fed))), None);
    let mut exchange = pin!(exchange);
    assert!(once(exchange.as_mut()).await.is_pending());
    far.write_all(early.as_bytes()).await.expect("is open");
    let Poll::Ready(Ok(response)) = once(exchange.as_mut()).await else { panic!("the head is there") };
    let mut head = [0; 64];
    let read = far.read(&mut head).await.expect("is open");
    assert!(head[..read].ends_with(b"transfer-encoding: chunked\r\n\r\n"));
    (response, feed, far)
}

#[tokio::test]
async fn an_upload_goes_on_while_nobody_reads_the_response() {
    let (response, feed, mut far) = overtaken(EARLY).await;
    for _ in 0..3 {
        feed.send(Ok(Bytes::from("more"))).expect("is awaited");
        let mut chunk = [0; 9];
        far.read_exact(&mut chunk).await.expect("is sent");
        assert_eq!(&chunk, b"4\r\nmore\r\n");
    }
    drop(feed);
    let mut end = [0; 5];
    far.read_exact(&mut end).await.expect("is sent");
    assert_eq!(&end, b"0\r\n\r\n");
    // Both are whole in the end, so that the connection can be used again.
    far.write_all(b"llo").await.expect("is open");
    let mut body = response.into_body();
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        read.extend_from_slice(&frame.expect("is whole").into_data().expect("is data"));
    }
    assert_eq!(read, b"hello");
    let connection = body.take_spent().expect("is clean");
    let mut next = pin!(seen(Exchange::new(connection, get(), None)));
    assert!(once(next.as_mut()).await.is_pending());
    far.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("is open");
    assert!(next.await.expect("answers").reusable);
}

#[tokio::test]
async fn an_upload_goes_on_after_its_response_but_its_connection_is_not_used_again() {
    let (response, feed, mut far) = overtaken(EARLY).await;
    far.write_all(b"llo").await.expect("is open");
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame.expect("is whole");
    }
    assert!(body.take_spent().is_none());
    drop(body);
    feed.send(Ok(Bytes::from("more"))).expect("is awaited");
    drop(feed);
    let mut rest = String::new();
    far.read_to_string(&mut rest).await.expect("is closed then");
    assert_eq!(rest, "4\r\nmore\r\n0\r\n\r\n");
}

#[tokio::test]
async fn an_upload_is_stopped_by_a_response_that_ends_its_connection() {
    let (response, feed, mut far) =
        overtaken("HTTP/1.1 413\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    assert!(response.body().is_end_stream());
    assert_eq!(far.read(&mut [0; 8]).await.expect("is closed"), 0);
    assert!(feed.is_closed());
}

#[tokio::test]
async fn a_response_that_is_dropped_stops_its_upload() {
    let (response, feed, mut far) = overtaken(EARLY).await;
    drop(response);
    assert_eq!(far.read(&mut [0; 8]).await.expect("is closed"), 0);
    assert!(feed.is_closed());
}

#[tokio::test]
async fn an_upload_that_breaks_breaks_its_response() {
    let (response, feed, mut far) = overtaken(EARLY).await;
    feed.send(Err(Error::new(ErrorKind::RequestBody, "cut"))).expect("is awaited");
    let mut body = response.into_body();
    let first = body.frame().await.expect("came with the head").expect("is sound");
    assert_eq!(first.into_data().expect("is data"), "he");
    let error = body.frame().await.expect("fails").expect_err("fails");
    assert_eq!(error.kind(), ErrorKind::RequestBody);
    let mut rest = Vec::new();
    far.read_to_end(&mut rest).await.expect("is closed");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn an_answer_that_explains_why_the_body_was_not_taken_is_given() {
    let (near, mut far) = tokio::io::duplex(8 << 10);
    let connection = Connection::new(Stream::Memory(near), ());
    let large = vec![b'x'; 100_000];
    let request = post(&[], frames(&[Some(&large)], Some(100_000)));
    let mut exchange = pin!(seen(Exchange::new(connection, request, None)));
    assert!(once(exchange.as_mut()).await.is_pending());
    far.write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno").await.expect("is open");
    drop(far);
    let seen = exchange.await.expect("answers");
    assert_eq!((seen.status.as_u16(), &seen.body[..], seen.reusable), (413, &b"no"[..], false));
}
