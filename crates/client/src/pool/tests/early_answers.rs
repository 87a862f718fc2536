//! Uploads over HTTP/2 whose response is whole before them.

use std::{
    pin::Pin,
    sync::Weak,
    task::{Context, Poll},
};

use http_body::Frame;

use super::{
    not_processed::{HEADERS, answer_first, frame, read_head},
    *,
};

const WINDOW_UPDATE: u8 = 8;

/// Has always more to give, and shows whether it is still wanted.
struct Endless {
    _wanted: Arc<()>,
}

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 4096])))))
    }
}

/// An upload to an endpoint that has answered it, and opens the stream's window as often as it is told.
async fn answered() -> (Weak<()>, tokio::sync::mpsc::UnboundedSender<()>, Pool<Body>) {
    let (more, grants) = tokio::sync::mpsc::unbounded_channel();
    let grants = Arc::new(tokio::sync::Mutex::new(grants));
    let (builder, _) = origin(move |mut stream| {
        let grants = Arc::clone(&grants);
        async move {
            answer_first(&mut stream).await;
            read_head(&mut stream).await;
            let _ = stream.write_all(&frame(HEADERS, 0x5, 3, &[0x88])).await;
            while grants.lock().await.recv().await.is_some() {
                for stream_id in [0, 3] {
                    let _ =
                        stream.write_all(&frame(WINDOW_UPDATE, 0, stream_id, &1000_u32.to_be_bytes())).await;
                }
            }
        }
    })
    .await;
    let pool = builder.protocol(Protocol::Http2).build();
    send_http2(&pool).await.expect("answers");
    let wanted = Arc::new(());
    let held = Arc::downgrade(&wanted);
    let connection = pool.checkout(Require::Any).await.expect("is open");
    let request =
        Request::post("http://origin/").body(Body::new(Endless { _wanted: wanted })).expect("a request");
    let response = connection.send(request).await.map_err(|error| error.into_parts().0).expect("answers");
    assert!(read(response).await.expect("is whole").is_empty());
    (held, more, pool)
}

async fn is_let_go(held: &Weak<()>) {
    while held.upgrade().is_some() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn an_endpoint_that_has_answered_and_takes_no_more_is_given_no_more() {
    let (held, _more, _pool) = answered().await;
    is_let_go(&held).await;
}

#[tokio::test]
async fn an_endpoint_that_has_answered_and_takes_more_is_given_more() {
    let (held, more, _pool) = answered().await;
    // Longer than it would be waited for.
    for _ in 0..20 {
        more.send(()).expect("the endpoint is there");
        tokio::time::sleep(crate::AFTER_RESPONSE / 5).await;
        assert!(held.upgrade().is_some());
    }
    is_let_go(&held).await;
}
