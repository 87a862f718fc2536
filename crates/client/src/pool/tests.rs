use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::{Body, Error, ErrorKind};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

mod drain;
mod early_answers;
mod given_back;
mod http2;
mod http2_ends;
mod http2_resets;
mod not_processed;

/// An origin that serves each connection by this function, and counts them.
async fn origin<F>(serve: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> (PoolBuilder, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let target: Target = listener.local_addr().expect("is bound").to_string().parse().expect("a target");
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream));
        }
    });
    (PoolBuilder::new(target), accepted)
}

/// Answers each request head with these bytes.
async fn answering(bytes: &'static [u8]) -> (PoolBuilder, Arc<AtomicUsize>) {
    origin(move |mut stream| async move {
        let mut seen = Vec::new();
        let mut buffer = [0; 1024];
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            seen.extend_from_slice(&buffer[..read]);
            while let Some(end) = seen.windows(4).position(|window| window == b"\r\n\r\n") {
                seen.drain(..end + 4);
                if stream.write_all(bytes).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";

fn request() -> Request<Body> {
    Request::get("/").header("host", "origin").body(Body::empty()).expect("a request")
}

async fn send(pool: &Pool<Body>) -> Result<Response<PoolBody<Body>>, Error> {
    let connection = pool.checkout(Require::Any).await?;
    connection.send(request()).await.map_err(|error| error.into_parts().0)
}

async fn read(response: Response<PoolBody<Body>>) -> Result<Bytes, Error> {
    Ok(response.into_body().collect().await?.to_bytes())
}

#[tokio::test]
async fn a_connection_whose_response_was_read_is_used_again() {
    let (builder, accepted) = answering(HELLO).await;
    let pool = builder.build();
    for _ in 0..10 {
        assert_eq!(read(send(&pool).await.expect("answers")).await.expect("a body"), "hello");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_connection_whose_response_was_left_unread_is_closed() {
    let (builder, accepted) = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nhello").await;
    let pool = builder.build();
    for _ in 0..3 {
        drop(send(&pool).await.expect("answers"));
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_response_with_two_lengths_is_refused_and_its_connection_closed() {
    let (builder, accepted) =
        answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n").await;
    let pool = builder.build();
    for _ in 0..2 {
        assert_eq!(send(&pool).await.expect_err("is refused").kind(), ErrorKind::Protocol);
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_response_with_another_coding_than_chunked_is_refused() {
    for head in [
        &b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"[..],
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let pool = answering(head).await.0.build();
        assert_eq!(send(&pool).await.expect_err("is refused").kind(), ErrorKind::Protocol);
    }
}

#[tokio::test]
async fn http_1_0_cannot_change_protocols() {
    let pool = answering(b"HTTP/1.0 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n").await.0.build();
    let request = Request::get("/").header("host", "origin").header("upgrade", "websocket");
    let request = request.header("connection", "upgrade").body(Body::empty()).expect("a request");
    let connection = pool.checkout(Require::Http1).await.expect("connects");
    let (error, request) = connection.send(request).await.expect_err("is refused").into_parts();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(request.is_none());
}

/// A body that gives nothing until it is told to.
struct Held(tokio::sync::oneshot::Receiver<Bytes>);

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Error>>> {
        let chunk = std::task::ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(chunk.ok().map(|chunk| Ok(http_body::Frame::data(chunk))))
    }
}

#[tokio::test]
async fn a_connection_is_not_used_again_when_the_response_came_before_the_request_was_sent() {
    let (builder, accepted) = answering(HELLO).await;
    let pool = builder.build();
    let (release, held) = tokio::sync::oneshot::channel();
    let request = Request::post("/").header("host", "origin").header("content-length", "9");
    let request = request.body(Body::new(Held(held))).expect("a request");
    let connection = pool.checkout(Require::Any).await.expect("connects");
    let response = connection.send(request).await.expect("answers");
    assert_eq!(read(response).await.expect("a body"), "hello");
    // To an origin that does not read bodies this is the next request, whose answer nobody must get.
    let _ = release.send(Bytes::from_static(b"GET /evil"));
    for _ in 0..3 {
        assert_eq!(read(send(&pool).await.expect("answers")).await.expect("a body"), "hello");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn bytes_after_the_response_are_nobodys_answer() {
    let (builder, _) = answering(
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
    )
    .await;
    let pool = builder.build();
    for _ in 0..20 {
        // The one may find its connection closed; none gets the other's answer.
        if let Ok(response) = send(&pool).await {
            assert_eq!(read(response).await.expect("a body"), "hello");
        }
    }
}

#[tokio::test]
async fn beyond_the_cap_requests_wait_their_turn() {
    let (builder, accepted) = answering(HELLO).await;
    let pool = builder.max_connections(2).build();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let pool = pool.clone();
        requests.spawn(async move { read(send(&pool).await?).await });
    }
    while let Some(body) = requests.join_next().await {
        assert_eq!(body.expect("no panic").expect("answers"), "hello");
    }
    assert_eq!(accepted.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_request_that_gets_no_turn_says_that_the_endpoint_is_at_its_limit() {
    let (builder, _) = answering(HELLO).await;
    let pool = builder.max_connections(1).connect_timeout(Duration::from_millis(50)).build::<Body>();
    let held = pool.checkout(Require::Any).await.expect("connects");
    let error = pool.checkout(Require::Any).await.expect_err("there is one only");
    assert_eq!(error.kind(), ErrorKind::Overloaded);
    drop(held);
    pool.checkout(Require::Any).await.expect("the place is free again");
}

#[tokio::test]
async fn idle_connections_are_closed_in_time() {
    let (builder, _) = answering(HELLO).await;
    let pool = builder.keep_alive(Duration::from_millis(100)).build();
    read(send(&pool).await.expect("answers")).await.expect("a body");
    assert_eq!(pool.open_connections(), 1);
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if pool.open_connections() == 0 {
            return;
        }
    }
    panic!("still open after two seconds");
}

#[tokio::test]
async fn nobody_there_and_no_such_name_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let target = listener.local_addr().expect("is bound").to_string();
    drop(listener);
    let kind = async |target: &str| {
        let pool = PoolBuilder::new(target.parse().expect("a target")).build::<Body>();
        pool.checkout(Require::Any).await.expect_err("nobody is there").kind()
    };
    assert_eq!(kind(&target).await, ErrorKind::Connect);
    assert_eq!(kind("no-such-name.invalid:80").await, ErrorKind::Resolve);
}

/// An HTTP/2 origin that serves its streams by this function. `streams` is how many it allows at once.
async fn http2_origin<F>(
    streams: u32,
    serve: impl Fn(h2::server::SendResponse<Bytes>) -> F + Clone + Send + Sync + 'static,
) -> (PoolBuilder, Arc<AtomicUsize>)
where
    F: Future<Output = ()> + Send + 'static,
{
    let (builder, accepted) = origin(move |stream| {
        let serve = serve.clone();
        async move {
            let handshake = h2::server::Builder::new().max_concurrent_streams(streams).handshake(stream);
            let Ok(mut connection) = handshake.await else { return };
            while let Some(Ok((_, respond))) = connection.accept().await {
                tokio::spawn(serve(respond));
            }
        }
    })
    .await;
    (builder.protocol(Protocol::Http2), accepted)
}

async fn send_http2(pool: &Pool<Body>) -> Result<Bytes, Error> {
    let connection = pool.checkout(Require::Any).await?;
    let request = Request::get("http://origin/").body(Body::empty()).expect("a request");
    read(connection.send(request).await.map_err(|error| error.into_parts().0)?).await
}

/// Answers after a while.
async fn slowly(mut respond: h2::server::SendResponse<Bytes>) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    if let Ok(mut body) = respond.send_response(Response::new(()), false) {
        let _ = body.send_data(Bytes::from_static(b"hello"), true);
    }
}

#[tokio::test]
async fn requests_to_a_silent_endpoint_fail_together() {
    // It accepts, and says nothing; TLS waits for its first word.
    let (builder, _) = origin(|stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let tls = crate::ClientTls::builder().build().expect("the system has authorities");
    let timeout = Duration::from_millis(300);
    let pool = builder.protocol(Protocol::Http2).tls(tls).connect_timeout(timeout).build::<Body>();
    let started = std::time::Instant::now();
    let mut requests = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let pool = pool.clone();
        requests.spawn(async move { pool.checkout(Require::Any).await.map(drop) });
    }
    while let Some(answer) = requests.join_next().await {
        assert_eq!(answer.expect("no panic").expect_err("fails").kind(), ErrorKind::ConnectTimeout);
    }
    // One after the other they would take six seconds.
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_dropped_pool_closes_its_connections() {
    let closed = Arc::new(tokio::sync::Notify::new());
    let notify = Arc::clone(&closed);
    let (builder, _) = origin(move |mut stream| {
        let notify = Arc::clone(&notify);
        async move {
            let mut buffer = [0; 1024];
            while let Ok(1..) = stream.read(&mut buffer).await {
                let _ = stream.write_all(HELLO).await;
            }
            notify.notify_one();
        }
    })
    .await;
    let pool = builder.build();
    read(send(&pool).await.expect("answers")).await.expect("a body");
    drop(pool);
    tokio::time::timeout(Duration::from_secs(5), closed.notified()).await.expect("the origin sees the close");
}

/// A response that nobody asked for, behind the first one.
const EVIL: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil";

#[tokio::test]
async fn what_arrived_while_the_runtime_was_busy_is_nobodys_answer() {
    let (evil, wait) = std::sync::mpsc::channel::<()>();
    let (done, is_there) = std::sync::mpsc::channel();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let target = listener.local_addr().expect("is bound").to_string();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let mut unasked = Some((wait, done));
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(HELLO);
            if let Some((wait, done)) = unasked.take() {
                let _ = wait.recv();
                let _ = stream.write_all(EVIL);
                let _ = done.send(());
                // It stays open, so that nothing but the bytes tells.
                let _ = stream.read(&mut [0; 1024]);
            }
        }
    });
    let pool: Pool<Body> = PoolBuilder::new(target.parse().expect("a target")).build();
    assert_eq!(read(send(&pool).await.expect("answers")).await.expect("a body"), "hello");
    evil.send(()).expect("the origin waits");
    // The thread is blocked meanwhile, so that the runtime cannot learn what arrives.
    is_there.recv().expect("the origin has sent it");
    let (error, request) = match pool.checkout(Require::Any).await.expect("a connection").send(request()).await
    {
        Ok(response) => panic!("answered {:?}", read(response).await),
        Err(error) => error.into_parts(),
    };
    assert!(error.is_unsent() && request.is_some(), "{error:?}");
    assert_eq!(read(send(&pool).await.expect("answers")).await.expect("a body"), "hello");
}
