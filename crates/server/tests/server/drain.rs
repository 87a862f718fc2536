//! Ending well: what is in flight is finished, what is idle is closed, what is left at the deadline is cut.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use crate::support::{echo, finish, limits, plain, start, start_with};
use gatewright_core::{Body, OnUpgrade};
use gatewright_server::{Listener, Server};
use http::{Request, Response, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
const SLOW: &[u8] = b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n";
const LONG: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_silent_connections_are_closed_soon() {
    let server = start(limits());
    let mut idle = server.connect().await;
    idle.write_all(GET).await.expect("sends");
    assert_eq!(finish(&mut idle, Duration::from_millis(100)).await.statuses(), [200]);
    let mut silent = server.connect().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    server.handle.drain(LONG);
    assert!(finish(&mut idle, LONG).await.closed);
    assert!(finish(&mut silent, LONG).await.closed);
    let drained = server.serving.await.expect("ends").expect("serves");
    assert_eq!(drained.cut(), 0);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(TcpStream::connect(server.address).await.is_err(), "still accepts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_and_told_to_close() {
    let server = start(limits());
    let mut stream = server.connect().await;
    stream.write_all(SLOW).await.expect("sends");
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.handle.drain(LONG);
    let outcome = finish(&mut stream, LONG).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![200], true));
    assert_eq!(outcome.answers[0].header("connection"), Some("close"));
    assert_eq!(server.serving.await.expect("ends").expect("serves").cut(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_as_the_drain_begins_is_answered() {
    let server = start(limits());
    let mut stream = server.connect().await;
    stream.write_all(GET).await.expect("sends");
    assert_eq!(finish(&mut stream, Duration::from_millis(100)).await.statuses(), [200]);
    server.handle.drain(LONG);
    tokio::time::sleep(Duration::from_millis(50)).await;
    stream.write_all(GET).await.expect("sends");
    let outcome = finish(&mut stream, LONG).await;
    assert_eq!((outcome.statuses(), outcome.closed), (vec![200], true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_in_the_backlog_is_served() {
    let server = start(limits());
    // Both happen before the accept loop runs again, more often than not.
    let mut stream = server.connect().await;
    server.handle.drain(LONG);
    stream.write_all(GET).await.expect("sends");
    assert_eq!(finish(&mut stream, LONG).await.statuses(), [200]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_at_the_deadline_is_cut_and_counted() {
    let service = tower::service_fn(|request: Request<Body>| async move {
        let (head, _) = request.into_parts();
        let mut request = Request::from_parts(head, Body::empty());
        if request.uri().path() == "/hang" {
            std::future::pending::<()>().await;
        }
        let upgrade = request.extensions_mut().remove::<OnUpgrade>().expect("a WebSocket is asked for");
        tokio::spawn(async move {
            let Ok(mut upgraded) = upgrade.await else { return };
            let _ = upgraded.read(&mut [0; 16]).await;
        });
        let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        let response = response.header("connection", "upgrade").header("upgrade", "websocket");
        Ok::<_, Infallible>(response.body(Body::empty()).expect("a response"))
    });
    let server = start_with(service, |builder| builder.listener(plain()));
    let mut hanging = server.connect().await;
    hanging.write_all(b"GET /hang HTTP/1.1\r\nhost: a\r\n\r\n").await.expect("sends");
    let mut tunnel = server.connect().await;
    let ask = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    tunnel.write_all(ask).await.expect("sends");
    let _idle = server.connect().await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.handle.upgraded(), 1);
    let start = Instant::now();
    server.handle.drain(Duration::from_millis(600));
    assert_eq!(server.serving.await.expect("ends").expect("serves").cut(), 2);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(550) && took < Duration::from_secs(2), "{took:?}");
    assert!(matches!(hanging.read(&mut [0; 16]).await, Ok(0) | Err(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_call_may_bring_the_deadline_forward() {
    let service = tower::service_fn(|_: Request<Body>| async {
        std::future::pending::<()>().await;
        crate::support::once("")
    });
    let upgrading = tower::service_fn(|mut request: Request<Body>| async move {
        let upgrade = request.extensions_mut().remove::<OnUpgrade>().expect("a WebSocket is asked for");
        // Held, and never polled.
        tokio::spawn(async move {
            let _held = upgrade.await;
            std::future::pending::<()>().await;
        });
        let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        let response = response.header("connection", "upgrade").header("upgrade", "websocket");
        Ok::<_, Infallible>(response.body(Body::empty()).expect("a response"))
    });
    let http1 = start_with(service, |builder| builder.listener(plain()));
    let http2 = start_with(service, |builder| builder.listener(plain()));
    let tunnel = start_with(upgrading, |builder| builder.listener(plain()));
    let mut streams = Vec::new();
    for (server, bytes) in [
        (&http1, GET),
        // A request for `/` of `a`, in HPACK's static table.
        (&http2, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x06\x01\x05\0\0\0\x01\x82\x84\x86\x41\x01a"),
        (&tunnel, b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"),
    ] {
        let mut stream = server.connect().await;
        stream.write_all(bytes).await.expect("sends");
        streams.push(stream);
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(server.calls(), 1);
    }
    for server in [http1, http2, tunnel] {
        server.handle.drain(LONG * 10);
        tokio::time::sleep(Duration::from_millis(50)).await;
        server.handle.drain(Duration::from_millis(50));
        let drained = tokio::time::timeout(Duration::from_secs(1), server.serving).await.expect("in time");
        assert_eq!(drained.expect("ends").expect("serves").cut(), 1);
    }
}

#[test]
fn workers_serve_in_runtimes_of_their_own_and_drain_together() {
    let server = Server::builder().listener(plain()).workers(3).bind().expect("binds");
    let (address, handle) = (server.local_addrs()[0], server.handle());
    let threads: Vec<_> = server
        .into_workers()
        .into_iter()
        .map(|worker| {
            std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(worker.serve(echo())).expect("serves").cut()
            })
        })
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..30 {
            assert_eq!(crate::support::raw(address, GET).await.statuses(), [200]);
        }
    });
    handle.drain(LONG);
    for thread in threads {
        assert_eq!(thread.join().expect("ends"), 0);
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let server = start(limits());
    let error = Server::builder().listener(Listener::new(server.address)).bind().expect_err("it is taken");
    assert_eq!(error.to_string(), format!("cannot listen on {}: the port is taken", server.address));
    assert_eq!(error.address(), server.address);
}
