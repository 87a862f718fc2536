//! Connections over real sockets, under a clock that stands still until a test moves it.
//!
//! A runtime with a paused clock moves the clock forward as soon as no task can run, and it does not know that a socket is
//! about to become ready. So these tests always have a task that can run: they yield until the awaited bytes are there.

use std::{
    io::{self, Read, Write},
    net,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use gatewright_core::ConnectionInfo;
use tokio::{net::TcpStream, task::JoinHandle, time::Instant};

use crate::{
    Limits,
    connection::{Accepted, Shared},
    drain::Connections,
    http1, http2,
    refused::OnRefused,
    service::Application,
    transport::{Activity, Socket, Transport},
};

/// Longer than anything takes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is due is done so much later at most.
const STEP: Duration = Duration::from_millis(100);

/// The client of one connection.
pub(crate) struct Client {
    stream: net::TcpStream,
    start: Instant,
    activity: Arc<Activity>,
    polls: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
    sent: u64,
    received: Vec<u8>,
    /// How much has been received in all.
    total: u64,
    closed: bool,
}

/// Both ends of a connection. The test begins with its clock paused.
pub(crate) fn sockets() -> (Transport, net::TcpStream) {
    let listener = net::TcpListener::bind("127.0.0.1:0").expect("binds");
    let client = net::TcpStream::connect(listener.local_addr().expect("an address")).expect("connects");
    let (server, _) = listener.accept().expect("accepts");
    client.set_nonblocking(true).expect("is open");
    client.set_nodelay(true).expect("is open");
    server.set_nonblocking(true).expect("is open");
    let stream = TcpStream::from_std(server).expect("is open");
    (Transport::Plain(Socket::new(stream, Arc::new(Activity::new()))), client)
}

/// Serves a connection by HTTP/1 or HTTP/2.
pub(crate) fn serve<S: Application>(service: S, limits: Limits, is_http2: bool) -> Client {
    let (transport, stream) = sockets();
    let activity = Arc::clone(transport.socket().activity());
    let (connections, on_refused) = (Arc::new(Connections::new()), OnRefused::default());
    let shared = Arc::new(Shared { limits, connections, on_refused });
    let address = ([127, 0, 0, 1], 1).into();
    let accepted = Accepted { info: ConnectionInfo::new(address, address), host_check: None };
    let polls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&polls);
    let serving = tokio::spawn(async move {
        let mut serving = pin!(async move {
            match is_http2 {
                false => http1::serve(transport, service, accepted, shared).await,
                true => http2::serve(transport, service, accepted, shared).await,
            }
        });
        std::future::poll_fn(|cx| {
            counter.fetch_add(1, Ordering::SeqCst);
            serving.as_mut().poll(cx)
        })
        .await;
    });
    let start = Instant::now();
    Client { stream, start, activity, polls, serving, sent: 0, received: Vec::new(), total: 0, closed: false }
}

/// Yields until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "not within a minute: {what}");
        tokio::task::yield_now().await;
    }
}

impl Client {
    /// Sends, and waits until all of it has been read or the connection has ended.
    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        if self.stream.write_all(bytes).is_ok() {
            self.sent += bytes.len() as u64;
            let read = &self.activity.read;
            until("what was sent", || read.load(Ordering::SeqCst) == self.sent || self.serving.is_finished())
                .await;
        }
        self.settle().await;
    }

    /// Waits until whatever is under way has come.
    pub(crate) async fn settle(&mut self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        until("what was written", || {
            self.receive();
            self.closed || self.total == self.activity.written.load(Ordering::SeqCst)
        })
        .await;
        if self.serving.is_finished() {
            until("the end", || {
                self.receive();
                self.closed
            })
            .await;
        }
    }

    /// What has come by now and has not been taken.
    pub(crate) fn receive(&mut self) -> &mut Vec<u8> {
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => self.closed = true,
                Ok(read) => {
                    self.received.extend_from_slice(&buffer[..read]);
                    self.total += read as u64;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It was closed over something that it had not read.
                Err(_) => self.closed = true,
            }
            return &mut self.received;
        }
    }

    /// Waits for these bytes, and takes all until their end.
    pub(crate) async fn expect(&mut self, bytes: &[u8]) {
        let find = |received: &[u8]| received.windows(bytes.len()).position(|window| window == bytes);
        until("an answer", || find(self.receive()).is_some()).await;
        let end = find(&self.received).map_or(0, |at| at + bytes.len());
        self.received.drain(..end);
    }

    /// Seconds since the connection began.
    pub(crate) fn now(&self) -> u64 {
        self.start.elapsed().as_secs()
    }

    /// How often the connection has been looked at.
    pub(crate) fn polls(&self) -> usize {
        self.polls.load(Ordering::SeqCst)
    }

    /// Whether the connection has ended on either side.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.receive();
        self.closed || self.serving.is_finished()
    }

    /// Lets time go by until `second` after the beginning.
    pub(crate) async fn go_to(&mut self, second: u64) {
        while self.now() < second {
            self.go_on().await;
        }
    }

    /// Lets a little time go by.
    pub(crate) async fn go_on(&mut self) {
        tokio::time::advance(STEP).await;
        self.settle().await;
    }

    /// Lets time go by until the connection has ended. Gives when.
    pub(crate) async fn end(&mut self) -> u64 {
        while !self.has_ended() {
            assert!(self.now() < 10_000, "it never ends");
            self.go_on().await;
        }
        self.now()
    }
}
