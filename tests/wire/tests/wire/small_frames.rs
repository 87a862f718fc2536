//! Bodies in many small pieces, beside other requests on the same HTTP/2 connection.
//!
//! Peers close a connection on which too many small DATA frames are unread, and with it all that go on it: the h2 crate
//! with its defaults, which all peers here have, from about a hundred on.

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use h2::{RecvStream, SendStream, server::SendResponse};
use harness::{Gateway, RawClient, within};
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Pieces of one byte in a body.
const PIECES: usize = 2000;

/// An endpoint, until it is dropped.
struct Endpoint {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Endpoint {
    async fn listen<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = connections.clone();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                connections.spawn(serve(stream));
            }
        });
        Self { address, connections, task }
    }

    /// Serves each stream in a task.
    async fn http2<F>(
        serve: impl Fn(Request<RecvStream>, SendResponse<Bytes>) -> F + Clone + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Self::listen(move |stream| {
            let serve = serve.clone();
            async move {
                let Ok(mut connection) = h2::server::handshake(stream).await else { return };
                let mut streams = JoinSet::new();
                while let Some(Ok((request, respond))) = connection.accept().await {
                    streams.spawn(serve(request, respond));
                }
            }
        })
        .await
    }

    /// A gateway before it.
    fn gateway(&self, protocol: &str) -> Gateway {
        let target = self.address;
        Gateway::builder(&format!(
            "workers: 1
upstreams: {{one: {{target: \"{target}\", protocol: {protocol}, max_connections: 4, keep_alive: 1h}}}}
routes: [{{path_prefix: /, upstream: one}}]
"
        ))
        .start()
    }
}

fn answer(mut respond: SendResponse<Bytes>, body: String) {
    if let Ok(mut stream) = respond.send_response(Response::new(()), false) {
        let _ = stream.send_data(body.into(), true);
    }
}

/// Reads a body to its end, and gives its length.
async fn length(mut body: RecvStream) -> Result<usize, h2::Error> {
    let mut length = 0;
    while let Some(data) = body.data().await {
        let data = data?;
        length += data.len();
        let _ = body.flow_control().release_capacity(data.len());
    }
    Ok(length)
}

/// Asks for something else, which is answered.
async fn ask(gateway: &Gateway) {
    let request = "GET /other HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(RawClient::once(gateway.address(), request).await.status(), 200);
}

/// How the pieces come to the gateway.
#[derive(Debug, Clone, Copy)]
enum Pieces {
    /// As chunks of HTTP/1, so many in one write.
    Chunks(usize),
    /// As frames of HTTP/2, all of them at once.
    Frames,
}

const ALL_PIECES: [Pieces; 3] = [Pieces::Chunks(PIECES), Pieces::Chunks(100), Pieces::Frames];

/// The chunks, in what is written at once.
fn chunks(in_one: usize) -> impl Iterator<Item = String> {
    let writes = (0..PIECES / in_one).map(move |_| "1\r\nx\r\n".repeat(in_one));
    writes.chain(["0\r\n\r\n".to_owned()])
}

fn send_frames(stream: &mut SendStream<Bytes>) -> Result<(), h2::Error> {
    (1..=PIECES).try_for_each(|piece| stream.send_data(Bytes::from_static(b"x"), piece == PIECES))
}

/// Uploads the pieces, and gives the response's text.
async fn upload(gateway: SocketAddr, pieces: Pieces) -> String {
    let mut socket = RawClient::connect(gateway).await.into_socket();
    let Pieces::Chunks(in_one) = pieces else {
        let (send, connection) = h2::client::handshake(socket).await.unwrap();
        tokio::spawn(connection);
        let request = Request::post("http://x/upload").body(()).unwrap();
        let (response, mut stream) = send.ready().await.unwrap().send_request(request, false).unwrap();
        send_frames(&mut stream).unwrap();
        let mut body = within("a response", response).await.unwrap().into_body();
        let text = within("its body", body.data()).await.unwrap().unwrap();
        return String::from_utf8(text.to_vec()).unwrap();
    };
    let head = "POST /upload HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes()).await.unwrap();
    for chunks in chunks(in_one) {
        socket.write_all(chunks.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut response = String::new();
    within("a response", socket.read_to_string(&mut response)).await.unwrap();
    response
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploads_in_small_pieces_leave_the_connection_to_an_endpoint_whole() {
    for pieces in ALL_PIECES {
        // Uploads are read once the other requests have been answered.
        let (read, may_read) = watch::channel(false);
        let endpoint = Endpoint::http2(move |request, respond| {
            let mut may_read = may_read.clone();
            async move {
                if request.uri().path() == "/upload" {
                    may_read.wait_for(|may| *may).await.unwrap();
                }
                if let Ok(length) = length(request.into_body()).await {
                    answer(respond, format!("read {length}"));
                }
            }
        })
        .await;
        let gateway = endpoint.gateway("http2");
        let uploads: Vec<_> = (0..4).map(|_| tokio::spawn(upload(gateway.address(), pieces))).collect();
        for _ in 0..50 {
            ask(&gateway).await;
        }
        read.send(true).unwrap();
        for upload in uploads {
            let response = upload.await.unwrap();
            assert!(response.contains(&format!("read {PIECES}")), "{pieces:?}: {response}");
        }
        assert_eq!(endpoint.connections.load(Ordering::SeqCst), 1, "{pieces:?}");
    }
}

/// An endpoint whose responses are of small pieces.
async fn small_pieces(pieces: Pieces) -> Endpoint {
    let Pieces::Chunks(in_one) = pieces else {
        return Endpoint::http2(|_, mut respond| async move {
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            send_frames(&mut stream).unwrap();
        })
        .await;
    };
    Endpoint::listen(move |mut stream| async move {
        let mut head = Vec::new();
        while let Ok(byte) = stream.read_u8().await {
            head.push(byte);
            if head.ends_with(b"\r\n\r\n") {
                head.clear();
                let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
                stream.write_all(head).await.unwrap();
                for chunks in chunks(in_one) {
                    stream.write_all(chunks.as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn responses_in_small_pieces_leave_the_connection_of_a_slow_client_whole() {
    for pieces in ALL_PIECES {
        let endpoint = small_pieces(pieces).await;
        let gateway = endpoint.gateway(if let Pieces::Frames = pieces { "http2" } else { "http1" });
        let socket = RawClient::connect(gateway.address()).await.into_socket();
        let (send, connection) = h2::client::handshake(socket).await.unwrap();
        let connection = tokio::spawn(connection);
        // All heads come before any of the bodies is read.
        let mut bodies = Vec::new();
        for _ in 0..4 {
            let request = Request::get("http://x/").body(()).unwrap();
            let (response, _) = send.clone().ready().await.unwrap().send_request(request, true).unwrap();
            bodies.push(within("a head", response).await.unwrap().into_body());
        }
        // Everything has come that comes while nobody reads.
        tokio::time::sleep(Duration::from_millis(300)).await;
        for body in bodies {
            let length = within("a body", length(body)).await;
            assert_eq!(length.unwrap_or_else(|error| panic!("{pieces:?}: {error}")), PIECES);
        }
        drop(send);
        within("the end", connection).await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_small_messages_leaves_the_connection_to_an_endpoint_whole() {
    let sent = Arc::new(AtomicUsize::new(0));
    let count = sent.clone();
    // One byte a frame, as far as the gateway's window goes.
    let endpoint = Endpoint::http2(move |request, mut respond| {
        let sent = count.clone();
        async move {
            if request.uri().path() == "/other" {
                return answer(respond, "ok".to_owned());
            }
            let mut stream = respond.send_response(Response::new(()), false).unwrap();
            loop {
                stream.reserve_capacity(1);
                let Some(Ok(_)) = poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
                if stream.send_data(Bytes::from_static(b"x"), false).is_err() {
                    return;
                }
                sent.fetch_add(1, Ordering::SeqCst);
            }
        }
    })
    .await;
    let gateway = endpoint.gateway("http2");
    let socket = RawClient::connect(gateway.address()).await.into_socket();
    let mut builder = h2::client::Builder::new();
    let (send, connection) = builder.initial_window_size(0).handshake::<_, Bytes>(socket).await.unwrap();
    tokio::spawn(connection);
    let mut send = send.ready().await.unwrap();
    let request = Request::get("http://x/messages").body(()).unwrap();
    let (response, _) = send.send_request(request, true).unwrap();
    let _unread = within("a head", response).await.unwrap().into_body();
    // Nothing more fits into the window.
    let (mut before, mut equal) = (0, 0);
    while equal < 10 {
        ask(&gateway).await;
        let now = sent.load(Ordering::SeqCst);
        equal = if now == before { equal + 1 } else { 0 };
        before = now;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(
        before >= 200_000,
        "{before} frames of one byte: the window is smaller than this test takes it to be"
    );
    ask(&gateway).await;
    assert_eq!(endpoint.connections.load(Ordering::SeqCst), 1);
}
