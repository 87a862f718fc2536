//! Connections that each do a TLS handshake and one request, and are closed.

use std::{
    cell::RefCell,
    error::Error,
    io,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use rustls::{HandshakeKind, pki_types::ServerName};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::LocalSet,
};
use tokio_rustls::TlsConnector;

use crate::tls::{self, SERVER_NAME};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[derive(Default)]
struct Tally {
    /// Of each connection, from connect to close, in microseconds.
    took: Vec<u64>,
    resumed: u64,
    failed: u64,
    first_failure: Option<String>,
}

pub(crate) async fn run(
    address: SocketAddr,
    resume: bool,
    time: Duration,
    concurrency: usize,
) -> Result<Value, Box<dyn Error>> {
    let tally = Rc::new(RefCell::new(Tally::default()));
    let began = Instant::now();
    let deadline = began + time;
    let clients = LocalSet::new();
    for _ in 0..concurrency {
        // Each resumes its own sessions, so that none has to do without because others took them.
        let (connector, tally) = (tls::trusting(resume)?, Rc::clone(&tally));
        clients.spawn_local(async move {
            while Instant::now() < deadline {
                let began = Instant::now();
                let ended = once(&connector, address).await;
                let took = began.elapsed();
                let mut tally = tally.borrow_mut();
                match ended {
                    Ok(kind) => {
                        tally.took.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
                        tally.resumed += u64::from(kind == HandshakeKind::Resumed);
                    }
                    Err(error) => {
                        tally.failed += 1;
                        tally.first_failure.get_or_insert_with(|| error.to_string());
                    }
                }
            }
        });
    }
    clients.await;
    let seconds = began.elapsed().as_secs_f64();
    let mut tally = tally.borrow_mut();
    tally.took.sort_unstable();
    let p99 = tally.took.get(tally.took.len() * 99 / 100).copied();
    Ok(json!({
        "requests": tally.took.len(),
        "resumed": tally.resumed,
        "failed": tally.failed,
        "first_failure": tally.first_failure,
        "seconds": seconds,
        "p99_us": p99,
    }))
}

/// One connection from its beginning to its end.
async fn once(connector: &TlsConnector, address: SocketAddr) -> io::Result<HandshakeKind> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(SERVER_NAME).map_err(io::Error::other)?;
    let mut stream = connector.connect(name, stream).await?;
    stream.write_all(REQUEST).await?;
    let mut response = Vec::with_capacity(1024);
    stream.read_to_end(&mut response).await?;
    if !response.starts_with(b"HTTP/1.1 200 ") {
        return Err(io::Error::other("not a 200"));
    }
    stream.get_ref().1.handshake_kind().ok_or_else(|| io::Error::other("no handshake"))
}
