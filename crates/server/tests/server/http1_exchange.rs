//! What goes on at the same time in one exchange: request bodies in other tasks, responses that have begun, clients
//! that leave.

use std::{convert::Infallible, sync::Arc, time::Duration};

use crate::support::{finish, plain, raw, start_with};
use bytes::Bytes;
use gatewright_core::Body;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Notify, mpsc},
};

/// Frames that another task sends.
struct Sent(mpsc::Receiver<Bytes>);

impl http_body::Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|data| data.map(|data| Ok(http_body::Frame::data(data))))
    }
}

/// Answers at once, with what another task reads of the request's body.
async fn relay(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let (sender, receiver) = mpsc::channel(1);
    let mut body = request.into_body();
    tokio::spawn(async move {
        while let Some(Ok(frame)) = body.frame().await {
            if let Ok(data) = frame.into_data()
                && sender.send(data).await.is_err()
            {
                break;
            }
        }
    });
    Ok(Response::new(Body::new(Sent(receiver))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_in_another_task_while_the_response_goes_out() {
    let server = start_with(tower::service_fn(relay), |builder| builder.listener(plain()));
    let mut stream = server.connect().await;
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head).await.expect("sends");
    let mut seen = Vec::new();
    for word in ["one", "two", "six"] {
        stream.write_all(format!("3\r\n{word}\r\n").as_bytes()).await.expect("sends");
        while !seen.ends_with(format!("3\r\n{word}\r\n").as_bytes()) {
            assert_ne!(stream.read_buf(&mut seen).await.expect("reads"), 0);
        }
    }
    stream.write_all(b"0\r\n\r\n").await.expect("sends");
    while !seen.ends_with(b"\r\n0\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut seen).await.expect("reads"), 0);
    }
    // The connection stays.
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
    seen.clear();
    while !seen.ends_with(b"\r\n0\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut seen).await.expect("reads"), 0);
    }
    assert!(seen.starts_with(b"HTTP/1.1 200 OK\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn much_may_go_both_ways_at_once() {
    const SIZE: usize = 20_000_000;
    let server = start_with(tower::service_fn(relay), |builder| builder.listener(plain()));
    let (mut read, mut write) = server.connect().await.into_split();
    let sending = tokio::spawn(async move {
        let head = format!("POST / HTTP/1.0\r\nhost: a\r\ncontent-length: {SIZE}\r\n\r\n");
        write.write_all(head.as_bytes()).await.expect("sends");
        let body: Vec<u8> = (0..SIZE).map(|at| (at % 251) as u8).collect();
        write.write_all(&body).await.expect("sends");
        (write, body)
    });
    let mut bytes = Vec::new();
    read.read_to_end(&mut bytes).await.expect("is whole");
    let (_write, body) = sending.await.expect("sent");
    assert!(bytes.ends_with(&body), "{} bytes came", bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_the_service_along() {
    struct Tell(Arc<Notify>);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.notify_one();
        }
    }
    let dropped = Arc::new(Notify::new());
    let tell = Arc::clone(&dropped);
    let service = tower::service_fn(move |_: Request<Body>| {
        let tell = Tell(Arc::clone(&tell));
        async move {
            let _tell = tell;
            std::future::pending::<Result<Response<Body>, Infallible>>().await
        }
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    for more in [&b""[..], b"GET /next HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let mut stream = server.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
        stream.write_all(more).await.expect("sends");
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(stream);
        tokio::time::timeout(Duration::from_secs(2), dropped.notified()).await.expect("is dropped");
    }
    assert_eq!(server.calls(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interim_response_is_no_final_one() {
    let service = tower::service_fn(|_: Request<Body>| async {
        let response = Response::builder().status(StatusCode::EARLY_HINTS);
        Ok::<_, Infallible>(response.body(Body::empty()).expect("a response"))
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    let outcome = raw(server.address, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![500], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_longer_than_its_length_is_cut_to_it_and_closes_the_connection() {
    let service = tower::service_fn(|_: Request<Body>| async {
        let (sender, receiver) = mpsc::channel(1);
        sender.send(Bytes::from_static(b"too long")).await.expect("there is room");
        let response = Response::builder().header("content-length", "3");
        Ok::<_, Infallible>(response.body(Body::new(Sent(receiver))).expect("a response"))
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    let outcome = raw(server.address, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![200], true));
    assert_eq!(outcome.answers[0].body, b"too");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_resemble_each_other_are_told_apart() {
    let server = crate::support::start(crate::support::limits());
    let mut stream = server.connect().await;
    for index in 0..20 {
        let body = "x".repeat(index % 4);
        let request = format!(
            "POST /{index} HTTP/1.1\r\nhost: a\r\nx-index: {index}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.expect("sends");
        let mut bytes = Vec::new();
        while !bytes.ends_with(format!("\r\n\r\n{body}").as_bytes()) {
            assert_ne!(stream.read_buf(&mut bytes).await.expect("reads"), 0);
        }
        let answer = &crate::support::parse(&bytes)[0];
        assert_eq!(answer.header("x-uri"), Some(&*format!("/{index}")));
        assert_eq!(answer.body, body.as_bytes());
    }
    // What is wrong is wrong, however familiar the rest is.
    let smuggled =
        b"POST /x HTTP/1.1\r\nhost: a\r\nx-index: 1\rtransfer-encoding: chunked\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(smuggled).await.expect("sends");
    let outcome = finish(&mut stream, Duration::from_secs(1)).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![400], true));
    assert_eq!((server.calls(), server.reasons()), (20, vec!["bare_cr"]));
}
