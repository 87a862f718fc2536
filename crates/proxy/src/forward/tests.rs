//! What endpoints are told of their attempts.

use std::time::Duration;

use gatewright_core::{Body, ErrorKind};
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
