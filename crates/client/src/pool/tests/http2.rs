//! HTTP/2 connections that requests share.

use super::*;

#[tokio::test]
async fn http2_requests_share_a_connection() {
    let (builder, accepted) = origin(|stream| async move {
        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
        while let Some(Ok((_, mut respond))) = connection.accept().await {
            if let Ok(mut body) = respond.send_response(Response::new(()), false) {
                let _ = body.send_data(Bytes::from_static(b"hello"), true);
            }
        }
    })
    .await;
    let pool: Pool<Body> = builder.protocol(Protocol::Http2).build();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let pool = pool.clone();
        requests.spawn(async move {
            let connection = pool.checkout(Require::Any).await?;
            let request = Request::get("http://origin/").body(Body::empty()).expect("a request");
            read(connection.send(request).await.map_err(|error| error.into_parts().0)?).await
        });
    }
    while let Some(body) = requests.join_next().await {
        assert_eq!(body.expect("no panic").expect("answers"), "hello");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_stream_that_is_reset_without_an_error_is_no_whole_body() {
    let (builder, _) = http2_origin(100, async |mut respond: h2::server::SendResponse<Bytes>| {
        if let Ok(mut body) = respond.send_response(Response::new(()), false) {
            let _ = body.send_data(Bytes::from_static(b"half of it"), false);
            tokio::time::sleep(Duration::from_millis(50)).await;
            body.send_reset(h2::Reason::NO_ERROR);
        }
    })
    .await;
    let error = send_http2(&builder.build()).await.expect_err("is cut short");
    assert_eq!(error.kind(), ErrorKind::Closed);
}

#[tokio::test]
async fn an_endpoint_that_allows_few_streams_gets_more_connections() {
    let (builder, accepted) = http2_origin(1, slowly).await;
    let pool = builder.build();
    // How many streams are allowed is known once the endpoint's settings have come, and another request goes out.
    for _ in 0..2 {
        send_http2(&pool).await.expect("answers");
    }
    let both = tokio::join!(send_http2(&pool), send_http2(&pool));
    assert!(both.0.is_ok() && both.1.is_ok(), "{both:?}");
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_capped_http2_pool_hands_on_streams_that_become_free() {
    let (builder, accepted) = http2_origin(2, slowly).await;
    let pool = builder.max_connections(1).build();
    send_http2(&pool).await.expect("answers");
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let pool = pool.clone();
        requests.spawn(async move { send_http2(&pool).await });
    }
    while let Some(answer) = requests.join_next().await {
        assert_eq!(answer.expect("no panic").expect("gets its turn"), "hello");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn an_endpoint_of_http2_alone_gives_its_connection_whatever_is_required() {
    let (builder, accepted) = http2_origin(100, slowly).await;
    let pool: Pool<Body> = builder.build();
    assert!(pool.ready(Require::Any).is_none() && pool.ready(Require::Http1).is_none());
    send_http2(&pool).await.expect("answers");
    for require in [Require::Any, Require::Http1] {
        assert!(pool.ready(require).is_some(), "{require:?}");
        pool.checkout(require).await.expect("is open");
        pool.checkout_new(require).await.expect("is open");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_request_without_a_body_ends_with_its_head_on_http2_too() {
    let (told, mut ends) = tokio::sync::mpsc::unbounded_channel();
    let (builder, _) = origin(move |stream| {
        let told = told.clone();
        async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                let _ = told.send(request.body().is_end_stream());
                let _ = respond.send_response(Response::new(()), true);
            }
        }
    })
    .await;
    let pool: Pool<Body> = builder.protocol(Protocol::Http2).build();
    for (body, expected) in [(Body::empty(), true), (Body::once(""), true), (Body::once("hello"), false)] {
        let connection = pool.checkout(Require::Any).await.expect("connects");
        let request = Request::post("http://origin/").body(body).expect("a request");
        let response = connection.send(request).await.map_err(|error| error.into_parts().0).expect("answers");
        assert!(format!("{:?}", response.body()).starts_with("PoolBody("));
        assert_eq!(ends.recv().await, Some(expected));
    }
}
