//! HTTP/2 connections that nobody needs, and those whose endpoint says nothing.

use std::time::Instant as StdInstant;

use super::*;

/// Waits until no connection is open, or for ten seconds.
async fn closed(pool: &Pool<Body>) -> bool {
    for _ in 0..500 {
        if pool.open_connections() == 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Answers every request at once.
async fn at_once(mut respond: h2::server::SendResponse<Bytes>) {
    if let Ok(mut body) = respond.send_response(Response::new(()), false) {
        let _ = body.send_data(Bytes::from_static(b"hello"), true);
    }
}

#[tokio::test]
async fn an_idle_connection_says_goodbye_and_is_closed() {
    let (told, mut goodbye) = tokio::sync::mpsc::unbounded_channel();
    let (builder, _) = origin(move |stream| {
        let told = told.clone();
        async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            while let Some(accepted) = connection.accept().await {
                match accepted {
                    Ok((_, respond)) => at_once(respond).await,
                    Err(error) => return drop(told.send(Err(error.to_string()))),
                }
            }
            let _ = told.send(Ok(()));
        }
    })
    .await;
    let pool = builder.protocol(Protocol::Http2).keep_alive(Duration::from_millis(200)).build();
    for _ in 0..2 {
        send_http2(&pool).await.expect("answers");
        assert!(closed(&pool).await, "it is kept");
        assert_eq!(goodbye.recv().await, Some(Ok(())));
    }
}

#[tokio::test]
async fn a_connection_with_a_stream_is_not_idle() {
    let (builder, accepted) = http2_origin(100, async |mut respond: h2::server::SendResponse<Bytes>| {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let Ok(mut body) = respond.send_response(Response::new(()), false) else { return };
        tokio::time::sleep(Duration::from_millis(400)).await;
        let _ = body.send_data(Bytes::from_static(b"hello"), true);
    })
    .await;
    let pool = builder.keep_alive(Duration::from_millis(50)).build();
    assert_eq!(send_http2(&pool).await.expect("answers"), "hello");
    assert!(closed(&pool).await, "it is kept");
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_meets_the_end_of_an_idle_connection() {
    let (builder, accepted) = http2_origin(100, at_once).await;
    let keep_alive = Duration::from_millis(10);
    let pool = builder.keep_alive(keep_alive).build();
    let mut requests = tokio::task::JoinSet::new();
    for wait in 0..4_u64 {
        let pool = pool.clone();
        requests.spawn(async move {
            for turn in 0..200_u64 {
                // About as long as a connection is kept, so that many come as it closes.
                tokio::time::sleep(keep_alive + Duration::from_micros(turn * 7 * (wait + 1) % 4000)).await;
                send_http2(&pool).await.expect("answers");
            }
        });
    }
    while let Some(done) = requests.join_next().await {
        done.expect("each is answered");
    }
    assert!(accepted.load(Ordering::SeqCst) > 1, "the connection was never closed");
}

#[tokio::test]
async fn an_idle_connection_is_closed_though_its_endpoint_takes_nothing() {
    // Its goodbye cannot leave, because a body that nobody reads fills the socket.
    let (builder, _) = origin(|mut stream| async move {
        const SETTINGS: &[u8] = b"\0\0\x0c\x04\0\0\0\0\0\0\x04\x7f\xff\xff\xff\0\x05\0\xff\xff\xff";
        const WINDOW: &[u8] = b"\0\0\x04\x08\0\0\0\0\0\x7f\0\0\0";
        let _ = stream.write_all(&[SETTINGS, WINDOW].concat()).await;
        std::future::pending::<()>().await;
    })
    .await;
    let pool = builder.protocol(Protocol::Http2).keep_alive(Duration::from_millis(200)).build();
    let body = Body::once(vec![b'x'; 64 << 20]);
    let connection = pool.checkout(Require::Any).await.expect("connects");
    let sent = connection.send(Request::post("http://origin/").body(body).expect("a request"));
    assert!(tokio::time::timeout(Duration::from_millis(300), sent).await.is_err(), "it is answered");
    assert!(closed(&pool).await, "it is kept");
}

/// An endpoint that takes connections and never says a word.
async fn mute() -> (PoolBuilder, Arc<AtomicUsize>) {
    let (builder, accepted) = origin(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    (builder.protocol(Protocol::Http2), accepted)
}

#[tokio::test]
async fn an_endpoint_that_does_not_speak_http2_is_not_connected_in_time() {
    let (builder, _) = mute().await;
    let pool = builder.connect_timeout(Duration::from_millis(300)).build::<Body>();
    let started = StdInstant::now();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let pool = pool.clone();
        requests.spawn(async move { send_http2(&pool).await });
    }
    while let Some(answer) = requests.join_next().await {
        let error = answer.expect("no panic").expect_err("nobody answers");
        assert_eq!(error.kind(), ErrorKind::ConnectTimeout);
        assert!(error.is_connect(), "nothing of the request has left");
    }
    // One after the other they would take six seconds.
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(closed(&pool).await, "it is kept");
}

/// Sends a request, and waits so long for its response.
async fn send_for(pool: &Pool<Body>, time: Duration) -> Option<Bytes> {
    let connection = pool.checkout(Require::Any).await.expect("connects");
    let request = Request::get("http://origin/").body(Body::empty()).expect("a request");
    let mut sent = connection.send(request);
    let due = StdInstant::now() + time;
    let response = std::future::poll_fn(|cx| match Pin::new(&mut sent).poll(cx) {
        Poll::Ready(response) => Poll::Ready(Some(response.expect("answers"))),
        Poll::Pending => sent.poll_due(cx, due).map(|()| None),
    });
    Some(read(response.await?).await.expect("a body"))
}

/// An endpoint whose first connection falls silent at its second request, as if the network were gone.
async fn vanishing() -> (PoolBuilder, Arc<AtomicUsize>) {
    let first = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (builder, accepted) = origin(move |stream| {
        let vanishes = first.swap(false, Ordering::SeqCst);
        async move {
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            while let Some(Ok((_, respond))) = connection.accept().await {
                at_once(respond).await;
                if vanishes {
                    // The answer leaves, and then nothing is read or written any more.
                    let _ = tokio::time::timeout(Duration::from_millis(100), connection.accept()).await;
                    std::future::pending::<()>().await;
                }
            }
        }
    })
    .await;
    (builder.protocol(Protocol::Http2).keep_alive(Duration::from_secs(3600)), accepted)
}

#[tokio::test]
async fn a_connection_that_has_fallen_silent_gets_no_new_streams() {
    for connections in [1, 2] {
        let (builder, accepted) = vanishing().await;
        let pool = builder.max_connections(connections).build();
        assert_eq!(send_http2(&pool).await.expect("answers"), "hello");
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(send_for(&pool, Duration::from_millis(200)).await, None);
        let answer = send_for(&pool, Duration::from_secs(10)).await;
        assert_eq!(answer.expect("a new connection answers"), "hello");
        assert_eq!(accepted.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn a_connection_that_others_hear_from_keeps_its_place() {
    // Every other request is never answered; the others are.
    let number = Arc::new(AtomicUsize::new(0));
    let (builder, accepted) = http2_origin(100, move |respond| {
        let silent = number.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        async move {
            if silent {
                std::future::pending::<()>().await;
            }
            at_once(respond).await;
        }
    })
    .await;
    let pool = builder.build();
    for _ in 0..3 {
        let silent = send_for(&pool, Duration::from_millis(300));
        let answered = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            send_http2(&pool).await
        };
        let (silent, answered) = tokio::join!(silent, answered);
        assert_eq!(silent, None);
        assert_eq!(answered.expect("answers"), "hello");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_that_is_slow_to_open_is_not_idle_meanwhile() {
    let (builder, accepted) = origin(|stream| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
        while let Some(Ok((_, respond))) = connection.accept().await {
            at_once(respond).await;
        }
    })
    .await;
    let pool = builder.protocol(Protocol::Http2).keep_alive(Duration::from_millis(20)).build();
    assert_eq!(send_http2(&pool).await.expect("answers"), "hello");
    assert!(closed(&pool).await, "it is kept");
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}
