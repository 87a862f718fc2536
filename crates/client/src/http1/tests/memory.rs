//! What an idle connection holds.

use super::{requests::post, *};

fn response(length: usize) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{}", "x".repeat(length))
}

#[tokio::test]
async fn a_connection_keeps_a_small_buffer_and_gives_a_large_one_back() {
    for length in [0, 5, 1000] {
        let (connection, _far) = used(&response(length)).await;
        assert!((1..=16 << 10).contains(&connection.received.capacity()), "after {length} bytes");
    }
    for length in [100_000, 500_000] {
        let (connection, _far) = used(&response(length)).await;
        assert_eq!(connection.received.capacity(), 0, "after {length} bytes");
    }
}

#[tokio::test]
async fn what_was_written_from_shrinks_to_a_bound() {
    let (connection, mut far) = connection();
    // Small enough to be copied, and many.
    let body = Body::new(Chunks(20));
    let mut exchange = pin!(Exchange::<Body, ()>::new(connection, post(&[], body), None));
    assert!(once(exchange.as_mut()).await.is_pending());
    far.write_all(response(0).as_bytes()).await.expect("is open");
    let mut body = exchange.await.expect("answers").into_body();
    assert!(body.frame().await.is_none());
    let mut connection = body.take_spent().expect("is whole");
    connection.rest();
    assert!((1..=8 << 10).contains(&connection.out.take_memory().capacity()));
}

/// So many chunks of 4,000 bytes.
struct Chunks(usize);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        self.0 -= 1;
        Poll::Ready(Some(Ok(http_body::Frame::data(vec![b'x'; 4000].into()))))
    }
}

#[tokio::test]
async fn a_trimmed_connection_holds_nothing_and_works_as_before() {
    let (mut connection, mut far) = used(&response(5)).await;
    connection.trim();
    assert!(!connection.holds_buffer());
    assert_eq!(connection.out.take_memory().capacity(), 0);
    let mut exchange = pin!(seen(Exchange::new(connection, get(), None)));
    assert!(once(exchange.as_mut()).await.is_pending());
    far.write_all(response(5).as_bytes()).await.expect("is open");
    let seen = exchange.await.expect("answers");
    assert_eq!((seen.body, seen.reusable), (Bytes::from("xxxxx"), true));
}

#[tokio::test]
async fn pieces_that_trickle_in_share_their_buffers() {
    let (connection, mut far) = connection();
    let mut exchange = pin!(Exchange::<Body, ()>::new(connection, get(), None));
    assert!(once(exchange.as_mut()).await.is_pending());
    far.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").await.expect("is open");
    let mut body = exchange.await.expect("answers").into_body();
    let mut held: Vec<Bytes> = Vec::new();
    for _ in 0..40 {
        far.write_all(&[b'x'; 200]).await.expect("is open");
        let frame = body.frame().await.expect("a frame").expect("is whole");
        held.push(frame.into_data().expect("data"));
    }
    // A piece that lies behind the one before needs no memory of its own.
    let lies_behind = |pair: &[Bytes]| pair[0].as_ptr_range().end == pair[1].as_ptr();
    let buffers = 1 + held.windows(2).filter(|pair| !lies_behind(pair)).count();
    assert!(buffers <= 3, "8,000 bytes are held in {buffers} buffers");
}
