//! Endpoints that keep the gateway waiting, each path in its own way.

use std::{future::pending, net::SocketAddr, time::Duration};

use bytes::Bytes;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SWITCHING: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// An endpoint, until it is dropped.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves each connection of a listener in a task of its own.
async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Endpoint
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve(stream));
        }
    });
    Endpoint { address, task }
}

/// Speaks HTTP/1 as the path says.
pub(super) async fn http1() -> Endpoint {
    listen(|mut stream| async move {
        while let Some(path) = asked(&mut stream).await {
            match path.as_str() {
                "/ok" => _ = stream.write_all(OK).await,
                "/interim" => {
                    while stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(300)).await;
                    }
                }
                path => {
                    let _ = stream.write_all(beginning(path)).await;
                    if path == "/early-reads-on" {
                        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                    }
                    pending::<()>().await;
                }
            }
        }
    })
    .await
}

/// What is sent for a path before the endpoint falls silent.
fn beginning(path: &str) -> &'static [u8] {
    match path {
        "/half-head" => b"HTTP/1.1 200 OK\r\nContent-Le",
        "/half-body" => b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        "/half-chunk" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
        "/half-trailers" => b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: ",
        "/until-close" => b"HTTP/1.1 200 OK\r\n\r\nabc",
        "/websocket" => SWITCHING,
        "/early" | "/early-reads-on" => OK,
        _ => b"",
    }
}

/// The path of the next request, once its head is there.
async fn asked(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    Some(head.split(' ').nth(1)?.to_owned())
}

/// Speaks HTTP/2 as the path says.
pub(super) async fn http2() -> Endpoint {
    listen(|stream| async move {
        let Ok(mut connection) = h2::server::handshake(stream).await else { return };
        // What is held is neither answered nor reset.
        let mut held = Vec::new();
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            let (parts, body) = request.into_parts();
            let head = http::Response::new(());
            let stream = match parts.uri.path() {
                "/silent" => None,
                "/half-body" => {
                    let mut stream = respond.send_response(head, false).unwrap();
                    stream.send_data(Bytes::from_static(b"abc"), false).unwrap();
                    Some(stream)
                }
                "/early" => Some(respond.send_response(head, true).unwrap()),
                _ => {
                    let mut stream = respond.send_response(head, false).unwrap();
                    stream.send_data(Bytes::from_static(b"ok"), true).unwrap();
                    continue;
                }
            };
            held.push((body, respond, stream));
        }
    })
    .await
}

/// Takes connections and never says a word.
pub(super) async fn mute() -> Endpoint {
    listen(|stream| async move {
        pending::<()>().await;
        drop(stream);
    })
    .await
}

/// Takes no connection: its backlog is full.
pub(super) async fn full() -> Endpoint {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    // The kernel takes one more than it was told, and answers no further one.
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await
    {
        waiting.push(stream);
    }
    let task = tokio::spawn(async move {
        pending::<()>().await;
        drop((listener, waiting));
    });
    Endpoint { address, task }
}
