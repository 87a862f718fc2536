//! Requests whose connection closed before a byte of their response.

use super::*;

/// An origin that answers once a connection and then does this with the second request's head.
async fn once_then<F>(then: impl Fn(TcpStream) -> F + Clone + Send + Sync + 'static) -> Pool<Body>
where
    F: Future<Output = ()> + Send + 'static,
{
    let (builder, _) = origin(move |mut stream| {
        let then = then.clone();
        async move {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(HELLO).await;
            let _ = stream.read(&mut [0; 1024]).await;
            then(stream).await;
        }
    })
    .await;
    builder.build()
}

#[tokio::test]
async fn a_request_whose_connection_closes_unanswered_is_given_back() {
    let closed = once_then(async |stream| drop(stream)).await;
    let reset = once_then(async |stream: TcpStream| {
        let _ = stream.set_zero_linger();
    })
    .await;
    for pool in [closed, reset] {
        read(send(&pool).await.expect("answers")).await.expect("a body");
        let connection = pool.checkout(Require::Any).await.expect("is idle");
        assert!(connection.is_reused());
        let (error, request) = connection.send(request()).await.expect_err("is closed").into_parts();
        assert!(error.is_unanswered() && !error.is_unsent(), "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Closed);
        assert_eq!(request.expect("is whole").headers()["host"], "origin");
    }
}

#[tokio::test]
async fn a_request_that_is_not_whole_any_more_is_not_given_back() {
    let pool = once_then(async |stream| drop(stream)).await;
    read(send(&pool).await.expect("answers")).await.expect("a body");
    let connection = pool.checkout(Require::Any).await.expect("is idle");
    let request = Request::put("/").header("host", "origin").body(Body::once("all of it")).expect("a request");
    let (error, request) = connection.send(request).await.expect_err("is closed").into_parts();
    assert!(error.is_unanswered() && request.is_none(), "{error:?}");
}

#[tokio::test]
async fn a_request_whose_response_has_begun_is_not_given_back() {
    for bytes in [&b"H"[..], b"HTTP/1.1 103 Early Hints\r\n\r\n"] {
        let pool = once_then(move |mut stream| async move {
            let _ = stream.write_all(bytes).await;
        })
        .await;
        read(send(&pool).await.expect("answers")).await.expect("a body");
        let connection = pool.checkout(Require::Any).await.expect("is idle");
        let (error, request) = connection.send(request()).await.expect_err("is closed").into_parts();
        assert!(!error.is_unanswered() && !error.is_unsent() && request.is_none(), "{error:?}");
    }
}
