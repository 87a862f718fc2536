//! What a pool keeps whose endpoint gets no new requests.

use super::*;

async fn is_empty(pool: &Pool<Body>) -> bool {
    for _ in 0..200 {
        if pool.open_connections() == 0 {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

#[tokio::test]
async fn idle_connections_are_closed_at_once() {
    let (builder, _) = answering(HELLO).await;
    let pool = builder.build();
    let connections = [pool.checkout(Require::Any).await, pool.checkout(Require::Any).await];
    for connection in connections {
        let response = connection.expect("connects").send(request()).await.expect("answers");
        read(response).await.expect("a body");
    }
    assert_eq!(pool.open_connections(), 2);
    pool.drain();
    assert_eq!(pool.open_connections(), 0);
}

#[tokio::test]
async fn a_connection_in_use_is_closed_when_its_response_has_been_read() {
    let (builder, accepted) = answering(HELLO).await;
    let pool = builder.build();
    let response = send(&pool).await.expect("answers");
    pool.drain();
    assert_eq!(read(response).await.expect("a body"), "hello");
    assert_eq!(pool.open_connections(), 0);
    // One that was given to the endpoint before still has its answer.
    for accepted_by_then in [2, 3] {
        assert_eq!(read(send(&pool).await.expect("answers")).await.expect("a body"), "hello");
        assert_eq!((accepted.load(Ordering::SeqCst), pool.open_connections()), (accepted_by_then, 0));
    }
}

#[tokio::test]
async fn over_http2_streams_end_before_their_connection_does() {
    let (builder, accepted) = http2_origin(100, slowly).await;
    let pool = builder.build();
    let (first, second, ()) = tokio::join!(send_http2(&pool), send_http2(&pool), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        pool.drain();
    });
    first.expect("is whole");
    second.expect("is whole");
    assert!(is_empty(&pool).await, "its connection is closed");
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
    send_http2(&pool).await.expect("is whole");
    assert!(is_empty(&pool).await, "its connection serves one request");
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed() {
    let (builder, _) = http2_origin(100, slowly).await;
    let pool = builder.build();
    send_http2(&pool).await.expect("is whole");
    assert_eq!(pool.open_connections(), 1);
    pool.drain();
    assert!(is_empty(&pool).await, "it is closed");
}
