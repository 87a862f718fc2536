//! An HTTP/1.1 origin that records each byte and follows a script.

use std::{
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    Reply, Request, Socket, eventually,
    message::Content,
    reader::{Framing, Reader},
};

/// What an origin does on one connection, step by step; then it closes.
pub type Script = Vec<Step>;

/// Makes the bytes of a response.
pub type Answer = Arc<dyn Fn(&Request) -> Vec<u8> + Send + Sync>;

/// One step of a [`Script`].
#[derive(Clone)]
#[non_exhaustive]
pub enum Step {
    /// Reads and records a request head; ends the script when the peer closed.
    Head,
    /// Reads the body that the head announced, and its trailers.
    Body,
    /// Sends these bytes.
    Send(Vec<u8>),
    /// Sends these bytes so many times.
    Repeat(Vec<u8>, usize),
    /// Sends what this makes of the request that was read last.
    Answer(Answer),
    /// Sends these bytes one at a time, this far apart.
    Drip(Vec<u8>, Duration),
    /// Waits.
    Pause(Duration),
    /// Does nothing until the peer closes.
    Hang,
    /// Reads what comes in this time, into [`Origin::early`].
    Listen(Duration),
    /// Reads until the peer closes, into [`Origin::collected`].
    Collect,
    /// The same, and sends each byte back.
    Echo,
    /// Closes with a reset.
    Reset,
    /// Starts the script again.
    Again,
}

impl Step {
    /// Sends a [`Reply`].
    pub fn reply(reply: Reply) -> Self {
        Self::Send(reply.to_h1())
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head => f.write_str("Head"),
            Self::Body => f.write_str("Body"),
            Self::Send(bytes) => write!(f, "Send({} bytes)", bytes.len()),
            Self::Repeat(bytes, times) => write!(f, "Repeat({} bytes, {times})", bytes.len()),
            Self::Answer(_) => f.write_str("Answer"),
            Self::Drip(bytes, every) => write!(f, "Drip({} bytes, {every:?})", bytes.len()),
            Self::Pause(time) => write!(f, "Pause({time:?})"),
            Self::Hang => f.write_str("Hang"),
            Self::Listen(time) => write!(f, "Listen({time:?})"),
            Self::Collect => f.write_str("Collect"),
            Self::Echo => f.write_str("Echo"),
            Self::Reset => f.write_str("Reset"),
            Self::Again => f.write_str("Again"),
        }
    }
}

/// A recording HTTP/1.1 origin on a port of its own. It goes when dropped.
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    early: Mutex<Vec<u8>>,
    collected: Mutex<Vec<u8>>,
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Origin {
    /// An origin that follows `script`, which is told the connection's number, from 0.
    pub async fn start(script: impl Fn(usize) -> Script + Send + Sync + 'static) -> Self {
        Self::bind(SocketAddr::from(([127, 0, 0, 1], 0)), None, script).await
    }

    /// The same over TLS.
    pub async fn start_tls(
        config: Arc<ServerConfig>,
        script: impl Fn(usize) -> Script + Send + Sync + 'static,
    ) -> Self {
        Self::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Some(config), script).await
    }

    /// The same at an address that is known to be free, for an origin that comes back.
    pub async fn start_at(
        address: SocketAddr,
        script: impl Fn(usize) -> Script + Send + Sync + 'static,
    ) -> Self {
        Self::bind(address, None, script).await
    }

    /// A decent origin: keep-alive, reads whole requests, answers what `reply` says.
    pub async fn answering(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start(Self::decent(reply)).await
    }

    /// A decent origin that answers 200 and `ok`.
    pub async fn ok() -> Self {
        Self::answering(|_| Reply::text("ok")).await
    }

    /// The script of a decent origin.
    pub fn decent(
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> impl Fn(usize) -> Script + Send + Sync + 'static {
        let answer: Answer = Arc::new(move |request| {
            let bytes = reply(request).to_h1();
            match request.method() {
                "HEAD" => head_of(bytes),
                _ => bytes,
            }
        });
        move |_| vec![Step::Head, Step::Body, Step::Answer(answer.clone()), Step::Again]
    }

    async fn bind(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        script: impl Fn(usize) -> Script + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Seen::default());
        let task = tokio::spawn(accept(listener, tls.map(TlsAcceptor::from), seen.clone(), script));
        Self { address, seen, task }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Goes, and has gone when this returns: its connections are closed and its address is free.
    pub async fn stop(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// The requests so far, those that are still coming in too.
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

    /// What [`Step::Collect`] and [`Step::Echo`] have read so far, over all connections.
    pub fn collected(&self) -> Vec<u8> {
        self.seen.collected.lock().unwrap().clone()
    }

    /// What [`Step::Listen`] has read so far, over all connections.
    pub fn early(&self) -> Vec<u8> {
        self.seen.early.lock().unwrap().clone()
    }

    /// How many connections it has taken.
    pub fn accepted(&self) -> usize {
        self.seen.accepted.load(Ordering::SeqCst)
    }

    /// How many connections are open now.
    pub fn open(&self) -> usize {
        self.seen.open.load(Ordering::SeqCst)
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn head_of(mut bytes: Vec<u8>) -> Vec<u8> {
    if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
        bytes.truncate(end + 4);
    }
    bytes
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    seen: Arc<Seen>,
    script: impl Fn(usize) -> Script + Send + Sync + 'static,
) {
    // Dropped with this task, and its connections with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = seen.accepted.fetch_add(1, Ordering::SeqCst);
        let (tls, seen, script) = (tls.clone(), seen.clone(), script(number));
        connections.spawn(async move {
            seen.open.fetch_add(1, Ordering::SeqCst);
            let _open = Open(seen.clone());
            let _ = follow(stream, tls, number, &script, &seen).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

struct Open(Arc<Seen>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn follow(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    number: usize,
    script: &Script,
    seen: &Seen,
) -> io::Result<()> {
    let _ = stream.set_nodelay(true);
    let socket = match tls {
        Some(tls) => Socket::Tls(Box::new(tls.accept(stream).await?.into())),
        None => Socket::Plain(stream),
    };
    let mut reader = Reader::new(socket);
    let mut current = None;
    let mut step = 0;
    while step < script.len() {
        match &script[step] {
            Step::Head => {
                let Some(head) = reader.head().await? else { return Ok(()) };
                let mut requests = seen.requests.lock().unwrap();
                current = Some(requests.len());
                requests.push(Request { connection: number, head, ..Request::default() });
            }
            Step::Body => {
                let Some(index) = current else { continue };
                let framing = seen
                    .requests
                    .lock()
                    .unwrap()
                    .get(index)
                    .map_or(Framing::None, |request| Framing::of_request(&request.head.fields));
                let mut content = Content::default();
                let result = reader.body(framing, &mut content).await;
                if let Some(request) = seen.requests.lock().unwrap().get_mut(index) {
                    request.set_content(content);
                }
                result?;
            }
            Step::Answer(answer) => {
                let request = current.and_then(|index| seen.requests.lock().unwrap().get(index).cloned());
                reader.send(&answer(&request.unwrap_or_default())).await?;
            }
            Step::Send(bytes) => reader.send(bytes).await?,
            Step::Repeat(bytes, times) => {
                for _ in 0..*times {
                    reader.send(bytes).await?;
                }
            }
            Step::Drip(bytes, every) => {
                for byte in bytes {
                    reader.send(&[*byte]).await?;
                    tokio::time::sleep(*every).await;
                }
            }
            Step::Pause(time) => tokio::time::sleep(*time).await,
            Step::Listen(time) => {
                let listen = async {
                    loop {
                        match reader.next().await {
                            Ok(bytes) if !bytes.is_empty() => seen.early.lock().unwrap().extend(bytes),
                            _ => std::future::pending().await,
                        }
                    }
                };
                let _: Result<(), _> = tokio::time::timeout(*time, listen).await;
            }
            Step::Hang => while !reader.next().await?.is_empty() {},
            Step::Collect | Step::Echo => loop {
                let bytes = reader.next().await?;
                if bytes.is_empty() {
                    break;
                }
                seen.collected.lock().unwrap().extend_from_slice(&bytes);
                if matches!(&script[step], Step::Echo) {
                    reader.send(&bytes).await?;
                }
            },
            Step::Reset => {
                reader.socket.reset();
                return Ok(());
            }
            Step::Again => {
                step = 0;
                continue;
            }
        }
        step += 1;
    }
    Ok(())
}
