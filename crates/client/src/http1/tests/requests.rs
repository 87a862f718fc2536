//! What endpoints are sent.

use std::{collections::VecDeque, io, task::Context};

use gatewright_core::ErrorKind;
use gatewright_http1::{BodyLength, BodyReader, Piece, Rules};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

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

pub(super) fn post(fields: &[(&str, &str)], body: Body) -> Request<Body> {
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
        let mut received = bytes::BytesMut::from(chunks);
        let mut body = BodyReader::new(BodyLength::Chunked);
        let mut read = 0;
        while let Piece::Data(data) = body.next(&mut received, &Rules::default()).expect("is sound") {
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

/// Takes so many bytes, then breaks, and gives nothing but its end.
struct Breaking {
    takes: usize,
    broken: bool,
}

impl AsyncRead for Breaking {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.broken { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl AsyncWrite for Breaking {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.takes == 0 {
            self.broken = true;
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let taken = buf.len().min(self.takes);
        self.takes -= taken;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_request_is_given_back_as_far_as_nothing_of_it_is_lost() {
    let ready = || post(&[], frames(&[Some(b"hello")], None));
    let waiting = || post(&[], frames(&[None, Some(b"hello")], None));
    for (name, takes, request, is_unsent, is_given_back) in [
        ("no body, no byte left", 0, get(), true, true),
        ("a body that waits, no byte left", 0, waiting(), true, true),
        ("a body of which a frame was taken, no byte left", 0, ready(), false, false),
        ("no body, some bytes left", 10, get(), false, true),
        ("a body that waits, some bytes left", 10, waiting(), false, false),
        ("a body of which a frame was taken, some bytes left", 10, ready(), false, false),
    ] {
        let stream = Stream::Other(Box::new(Breaking { takes, broken: false }));
        let exchange = Exchange::<Body, ()>::new(Connection::new(stream, ()), request, None);
        let (error, request) = exchange.await.expect_err(name).into_parts();
        assert_eq!(error.kind(), ErrorKind::Closed, "{name}");
        assert_eq!((error.is_unsent(), error.is_unanswered()), (is_unsent, !is_unsent), "{name}");
        assert_eq!(request.is_some(), is_given_back, "{name}");
        if let Some(request) = request {
            let is_post = request.method() == http::Method::POST;
            let body = request.into_body().collect().await.expect(name).to_bytes();
            assert_eq!(body, if is_post { "hello" } else { "" }, "{name}");
        }
    }
}
