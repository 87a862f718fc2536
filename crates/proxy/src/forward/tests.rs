//! What endpoints are told of their attempts.

use std::time::Duration;

use gatewright_core::{Body, ErrorKind, RequestRecord, SpanContext};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower::ServiceExt;

use crate::{
    ProxyBody, ProxyService, Retries,
    balance::Outcome::{self, Abandoned, Answered, Failed},
};

/// An address at which each connection is answered with these bytes and then held.
async fn origin(answers: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("is bound").to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                let _ = stream.read(&mut buffer).await;
                let _ = stream.write_all(answers).await;
                if !answers.ends_with(b"cut") {
                    let _ = stream.read(&mut buffer).await;
                }
            });
        }
    });
    address
}

fn proxy(target: &str) -> ProxyService {
    let retries = Retries::new(1).on_status(503);
    let builder = ProxyService::builder().target(target).retries(retries);
    let limit = Duration::from_millis(200);
    builder.timeout(limit).idle_timeout(limit).build().expect("builds")
}

async fn send(proxy: &ProxyService) -> Result<Response<ProxyBody>, gatewright_core::Error> {
    let request = Request::get("/").header("host", "a").body(Body::empty()).expect("a request");
    proxy.clone().oneshot(request).await
}

/// What its endpoint is told of a request whose response is read to the end.
async fn told(answer: &'static [u8]) -> Vec<Outcome> {
    let proxy = proxy(&origin(answer).await);
    if let Ok(response) = send(&proxy).await {
        let _ = response.into_body().collect().await;
    }
    proxy.upstream().outcomes()
}

const OK: StatusCode = StatusCode::OK;

#[tokio::test]
async fn an_endpoint_is_told_of_each_answer() {
    for answer in [
        &b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-a: b\r\n\r\n",
    ] {
        assert_eq!(told(answer).await, [Answered(OK)], "{}", String::from_utf8_lossy(answer));
    }
    let busy = StatusCode::SERVICE_UNAVAILABLE;
    let answer = b"HTTP/1.1 503 Busy\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno";
    assert_eq!(told(answer).await, [Answered(busy), Answered(busy)], "each attempt counts");
}

#[tokio::test]
async fn an_endpoint_is_told_of_each_failure() {
    assert_eq!(told(b"cut").await, [Failed(ErrorKind::Protocol)]);
    assert_eq!(told(b"").await, [Failed(ErrorKind::ResponseTimeout)]);
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
    assert_eq!(told(short).await, [Failed(ErrorKind::IdleTimeout)]);
    assert_eq!(told(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\ncut").await, [Failed(ErrorKind::Closed)]);
    let lengths = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    assert_eq!(told(lengths).await, [Failed(ErrorKind::Protocol)]);
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("is bound");
    let proxy = proxy(&nobody.to_string());
    send(&proxy).await.expect_err("nobody is there");
    let unconnected = [Failed(ErrorKind::Connect), Failed(ErrorKind::Connect)];
    assert_eq!(proxy.upstream().outcomes(), unconnected, "each attempt counts");
}

#[tokio::test]
async fn an_endpoint_is_told_when_the_client_has_gone() {
    let silent = proxy(&origin(b"").await);
    let gone = tokio::time::timeout(Duration::from_millis(50), send(&silent)).await;
    assert!(gone.is_err() && silent.upstream().outcomes() == [Abandoned(None)]);
    // In the middle of a response.
    let slow = proxy(&origin(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok").await);
    let mut response = send(&slow).await.expect("answers");
    response.body_mut().frame().await.expect("a frame").expect("is sound");
    assert_eq!(slow.upstream().outcomes(), [], "the response goes on");
    drop(response);
    assert_eq!(slow.upstream().outcomes(), [Abandoned(Some(OK))]);
}

/// An origin that answers each request with the next of these, and gives the `traceparent` of each.
async fn recording_origin(
    answers: &'static [&'static [u8]],
) -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (sender, seen) = tokio::sync::mpsc::unbounded_channel();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("is bound").to_string();
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.expect("accepts");
            let mut buffer = [0; 1024];
            let length = stream.read(&mut buffer).await.expect("reads");
            let head = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let parent = head.lines().find_map(|line| line.strip_prefix("traceparent: "));
            let _ = sender.send(parent.unwrap_or("none").to_owned());
            let _ = stream.write_all(answer).await;
        }
    });
    (address, seen)
}

const BUSY: &[u8] = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const FINE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Sends a request with a span in its record, and gives the record.
async fn send_traced(proxy: &ProxyService, watched: bool) -> (RequestRecord, SpanContext) {
    let record = RequestRecord::new(None);
    let span = SpanContext::new(7, 8, None, SpanContext::SAMPLED);
    record.with(|known| known.span = Some(span));
    if watched {
        record.watch_attempts();
    }
    let mut request = Request::get("/").header("host", "a").body(Body::empty()).expect("a request");
    request.headers_mut().insert(SpanContext::TRACEPARENT, span.traceparent());
    request.extensions_mut().insert(record.clone());
    let _ = proxy.clone().oneshot(request).await;
    (record, span)
}

#[tokio::test]
async fn each_attempt_is_the_parent_that_its_service_sees() {
    let (address, mut seen) = recording_origin(&[BUSY, FINE]).await;
    let (record, span) = send_traced(&proxy(&address), true).await;
    let attempts = record.attempts();
    assert_eq!(attempts.len(), 2);
    for (attempt, status) in attempts.iter().zip([StatusCode::SERVICE_UNAVAILABLE, OK]) {
        assert_eq!(seen.recv().await.expect("was asked"), attempt.span.traceparent());
        assert_eq!(attempt.span.parent_id(), Some(span.span_id()));
        assert_eq!((attempt.status, attempt.error), (Some(status), None));
        assert_eq!(&*attempt.endpoint, address);
    }
    assert_ne!(attempts[0].span.span_id(), attempts[1].span.span_id());
    assert!(attempts[0].ended.is_some() && attempts[1].ended.is_none(), "the last one ends with the request");
}

#[tokio::test]
async fn attempts_that_fail_are_in_the_record_too() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("binds").local_addr().expect("is bound");
    let (record, _) = send_traced(&proxy(&nobody.to_string()), true).await;
    let errors: Vec<_> = record.attempts().iter().map(|attempt| (attempt.error, attempt.version)).collect();
    assert_eq!(errors, [(Some(ErrorKind::Connect), None), (Some(ErrorKind::Connect), None)]);
    let (record, _) = send_traced(&proxy(&origin(b"cut").await), true).await;
    let attempts = record.attempts();
    assert_eq!(attempts.iter().map(|attempt| attempt.error).collect::<Vec<_>>(), [Some(ErrorKind::Protocol)]);
    assert!(attempts[0].ended.is_some());
}

#[tokio::test]
async fn nothing_is_written_of_attempts_that_nobody_reads() {
    let (address, mut seen) = recording_origin(&[FINE]).await;
    let (record, span) = send_traced(&proxy(&address), false).await;
    assert_eq!(seen.recv().await.expect("was asked"), span.traceparent());
    assert!(record.attempts().is_empty());
}
