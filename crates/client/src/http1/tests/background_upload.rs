//! Requests whose response came first.

use std::{sync::Arc, task::Context, time::Duration};

use gatewright_core::ErrorKind;
use http_body::Frame;
use tokio::{io::AsyncReadExt, sync::mpsc, time::Instant};

use super::{requests::post, *};
use crate::AFTER_RESPONSE;

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

const STALL_TIMEOUT: Duration = Duration::from_secs(7);

/// A large upload to an endpoint that answers with `response` and has read nothing but the head. Gives what stands for
/// the connection's place in the pool as well.
async fn stalled(response: &str) -> (http::Response<Incoming<Arc<()>>>, DuplexStream, std::sync::Weak<()>) {
    let (near, mut far) = tokio::io::duplex(8 << 10);
    let place = Arc::new(());
    let held = Arc::downgrade(&place);
    let connection = Connection::new(Stream::Memory(near), place);
    let large = Body::once(vec![b'x'; 1 << 20]);
    let exchange = Exchange::new(connection, post(&[], large), None).stall_timeout(STALL_TIMEOUT);
    let mut exchange = pin!(exchange);
    assert!(once(exchange.as_mut()).await.is_pending());
    far.write_all(response.as_bytes()).await.expect("is open");
    let Poll::Ready(Ok(response)) = once(exchange.as_mut()).await else { panic!("the head is there") };
    (response, far, held)
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_has_answered_and_reads_no_more_is_given_up() {
    for response in ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "HTTP/1.1 204 No Content\r\n\r\n"] {
        let (response, mut far, held) = stalled(response).await;
        let start = Instant::now();
        drop(response.into_body().collect().await.expect("is whole"));
        while held.upgrade().is_some() {
            assert!(start.elapsed() < 2 * AFTER_RESPONSE, "the place is held");
            tokio::time::sleep(AFTER_RESPONSE / 10).await;
        }
        assert!(start.elapsed() >= AFTER_RESPONSE);
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.expect("is closed");
        assert!(read.len() < 1 << 20, "the request was not completed");
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_has_answered_and_reads_slowly_gets_all() {
    let (response, mut far, held) = stalled("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    drop(response.into_body().collect().await.expect("is whole"));
    let (mut read, mut piece) = (0, [0; 4000]);
    while let Ok(bytes @ 1..) = far.read(&mut piece).await {
        read += bytes;
        tokio::time::sleep(AFTER_RESPONSE / 2).await;
    }
    assert!(read > 1 << 20, "{read}");
    assert!(held.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_answers_on_may_leave_the_upload_for_as_long() {
    let (response, mut far, held) = stalled("HTTP/1.1 200 OK\r\n\r\n").await;
    let reading = tokio::spawn(async move {
        let mut body = response.into_body();
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.into_data().map_or(0, |data| data.len());
        }
        read
    });
    for _ in 0..20 {
        far.write_all(b"more").await.expect("is open");
        tokio::time::sleep(STALL_TIMEOUT / 2).await;
        assert!(held.upgrade().is_some());
    }
    drop(far);
    assert_eq!(reading.await.expect("no panic"), 80);
}
