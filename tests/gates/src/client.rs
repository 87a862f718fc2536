//! A client that writes bytes and reads bytes.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{Result, cases::BODY};

/// What [`cases::request`](crate::cases::request) is on the wire.
const REQUEST: &[u8] = b"GET /v1/orders/7?expand=lines HTTP/1.1\r\n\
    host: api.example.com\r\n\
    user-agent: gates/1\r\n\
    accept: application/json\r\n\
    accept-encoding: gzip, br\r\n\
    accept-language: en\r\n\
    x-api-version: 2\r\n\r\n";

pub(crate) struct Client(TcpStream);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    /// Sends a request and reads its response, again and again.
    pub(crate) async fn exchange(&mut self, times: usize) -> Result<()> {
        let mut response = Vec::with_capacity(4096);
        for _ in 0..times {
            self.0.write_all(REQUEST).await?;
            response.clear();
            while !response.ends_with(BODY) {
                if self.0.read_buf(&mut response).await? == 0 {
                    return Err("the server closed the connection".into());
                }
            }
            if !response.starts_with(b"HTTP/1.1 200 ") {
                return Err(String::from_utf8_lossy(&response).into());
            }
        }
        Ok(())
    }
}
