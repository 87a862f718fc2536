//! An HTTP/2 origin that records requests.

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use h2::{Reason, RecvStream, server::SendResponse};
use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use crate::{Fields, Reply, Request, Socket, eventually, reply::Ending};

type Answer = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// A recording HTTP/2 origin: cleartext by prior knowledge, or TLS. It goes when dropped.
///
/// It answers when the request's body has ended or been cut off.
#[derive(Debug)]
pub struct H2Origin {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    accepted: AtomicUsize,
    cancelled: AtomicUsize,
}

impl H2Origin {
    /// An origin over cleartext HTTP/2.
    pub async fn answering(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::bind(None, Arc::new(reply)).await
    }

    /// An origin over TLS; `config` should offer `h2` by ALPN.
    pub async fn answering_tls(
        config: Arc<ServerConfig>,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::bind(Some(config), Arc::new(reply)).await
    }

    async fn bind(tls: Option<Arc<ServerConfig>>, answer: Answer) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let task = tokio::spawn(accept(listener, tls.map(TlsAcceptor::from), answer, seen.clone()));
        Self { address, seen, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// The only request so far; a panic shows them when there is not exactly one.
    pub fn only_request(&self) -> Request {
        match self.requests().as_slice() {
            [request] => request.clone(),
            others => panic!("expected one request, found {others:#?}"),
        }
    }

    /// Forgets the requests so far and returns them.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.seen.requests.lock().unwrap())
    }

    /// Waits until `count` requests have begun.
    pub async fn has_requests(&self, count: usize) -> Vec<Request> {
        eventually("a request at the origin", || self.seen.requests.lock().unwrap().len() >= count).await;
        self.requests()
    }

    /// How many connections it has taken.
    pub fn accepted(&self) -> usize {
        self.seen.accepted.load(Ordering::SeqCst)
    }

    /// How many streams the peer has reset while their answer was still going on.
    pub fn cancelled(&self) -> usize {
        self.seen.cancelled.load(Ordering::SeqCst)
    }
}

impl Drop for H2Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, answer: Answer, seen: Arc<Seen>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = seen.accepted.fetch_add(1, Ordering::SeqCst);
        connections.spawn(serve(stream, tls.clone(), number, answer.clone(), seen.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, number: usize, answer: Answer, seen: Arc<Seen>) {
    let _ = stream.set_nodelay(true);
    let socket = match tls {
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => Socket::Tls(Box::new(stream.into())),
            Err(_) => return,
        },
        None => Socket::Plain(stream),
    };
    let Ok(mut connection) = h2::server::Builder::new().handshake(socket).await else { return };
    let mut streams = JoinSet::new();
    while let Some(Ok((request, respond))) = connection.accept().await {
        streams.spawn(exchange(request, respond, number, answer.clone(), seen.clone()));
    }
}

async fn exchange(
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
    connection: usize,
    answer: Answer,
    seen: Arc<Seen>,
) {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let line = format!("{} {path} HTTP/2", parts.method);
    let index = {
        let mut requests = seen.requests.lock().unwrap();
        let mut request = Request { connection, ..Request::default() };
        request.head.line.clone_from(&line);
        request.head.fields = Fields::from_map(&parts.headers);
        for (name, value) in [
            (":scheme", parts.uri.scheme_str()),
            (":authority", parts.uri.authority().map(|authority| authority.as_str())),
        ] {
            if let Some(value) = value {
                request.head.fields.push(name, value);
            }
        }
        requests.push(request);
        requests.len() - 1
    };
    let (data, trailers, complete) = read(body).await;
    let request = {
        let mut requests = seen.requests.lock().unwrap();
        // Those of before may have been taken meanwhile, and another one may stand here now.
        let Some(request) = requests.get_mut(index).filter(|request| request.head.line == line) else { return };
        request.raw_body.clone_from(&data);
        request.body = data;
        request.trailers = trailers;
        request.complete = complete;
        request.clone()
    };
    if send(answer(&request), respond).await.is_none() {
        seen.cancelled.fetch_add(1, Ordering::SeqCst);
    }
}

async fn read(mut body: RecvStream) -> (Vec<u8>, Fields, bool) {
    let mut data = Vec::new();
    while let Some(chunk) = body.data().await {
        let Ok(chunk) = chunk else { return (data, Fields::default(), false) };
        let _ = body.flow_control().release_capacity(chunk.len());
        data.extend_from_slice(&chunk);
    }
    match body.trailers().await {
        Ok(trailers) => (data, trailers.map(|map| Fields::from_map(&map)).unwrap_or_default(), true),
        Err(_) => (data, Fields::default(), false),
    }
}

/// `None` when the peer reset the stream before the end.
async fn send(reply: Reply, mut respond: SendResponse<Bytes>) -> Option<()> {
    let mut head = http::Response::builder().status(reply.status);
    for (name, value) in &reply.fields {
        head = head.header(name, value);
    }
    let bare = reply.chunks.is_empty() && reply.trailers.is_empty() && reply.ending == Ending::Clean;
    let mut stream = respond.send_response(head.body(()).ok()?, bare).ok()?;
    if bare {
        return Some(());
    }
    let count = reply.chunks.len();
    for (index, mut chunk) in reply.chunks.into_iter().enumerate() {
        let last = index + 1 == count && reply.trailers.is_empty() && reply.ending == Ending::Clean;
        while !chunk.is_empty() {
            stream.reserve_capacity(chunk.len());
            let room = poll_fn(|cx| stream.poll_capacity(cx)).await?.ok()?;
            let piece = chunk.split_to(room.min(chunk.len()));
            let end = last && chunk.is_empty();
            stream.send_data(piece, end).ok()?;
        }
    }
    match reply.ending {
        Ending::Hang => {
            let _ = poll_fn(|cx| stream.poll_reset(cx)).await;
            None
        }
        Ending::Reset(code) => {
            stream.send_reset(Reason::from(code));
            Some(())
        }
        Ending::Clean if reply.trailers.is_empty() => Some(()),
        Ending::Clean => {
            let mut trailers = http::HeaderMap::new();
            for (name, value) in &reply.trailers {
                let name: http::HeaderName = name.parse().ok()?;
                trailers.append(name, value.parse().ok()?);
            }
            stream.send_trailers(trailers).ok()
        }
    }
}
