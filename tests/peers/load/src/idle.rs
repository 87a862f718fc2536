//! Connections that each make one request and are then kept open.

use std::{
    error::Error,
    io::{self, Read, Write},
    net::SocketAddr,
    time::Duration,
};

use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::tls::{self, SERVER_NAME};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

/// Prints `ready` when all are open, waits until the standard input ends, and tells how many are open still.
pub(crate) async fn run(address: SocketAddr, count: usize, over_tls: bool) -> Result<Value, Box<dyn Error>> {
    let connector = over_tls.then(|| tls::trusting(false)).transpose()?;
    let mut streams: Vec<Box<dyn Stream>> = Vec::with_capacity(count);
    for _ in 0..count {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut stream: Box<dyn Stream> = match &connector {
            Some(connector) => Box::new(connector.connect(ServerName::try_from(SERVER_NAME)?, stream).await?),
            None => Box::new(stream),
        };
        ask(&mut stream).await?;
        streams.push(stream);
    }
    println!("ready");
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;

    let mut open = 0;
    for stream in &mut streams {
        // Nothing more is to come: a read that ends tells that the server has closed.
        let read = timeout(Duration::ZERO, stream.read(&mut [0; 1])).await;
        open += usize::from(read.is_err());
    }
    Ok(json!({ "open": open }))
}

/// One request, with its response read to the end.
async fn ask(stream: &mut Box<dyn Stream>) -> Result<(), Box<dyn Error>> {
    stream.write_all(REQUEST).await?;
    let mut response = Vec::with_capacity(1024);
    while !is_whole(&response) {
        if stream.read_buf(&mut response).await? == 0 {
            return Err("the connection was closed before the response had ended".into());
        }
    }
    if response.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err("not a 200".into()) }
}

/// Whether the response is there to its end: the origin sends 256 times `x`, with its length.
fn is_whole(response: &[u8]) -> bool {
    response.ends_with(&[b'x'; 256])
}
