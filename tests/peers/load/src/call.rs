//! One request, to see whether the answer is right before it is asked for a hundred thousand times.

use std::{error::Error, net::SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::tls::{self, SERVER_NAME};

/// HTTP/1.1 over TLS, with the server's certificate checked.
pub(crate) async fn tls(address: SocketAddr, ca: &str) -> Result<Value, Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    let mut stream = tls::checking(ca)?.connect(ServerName::try_from(SERVER_NAME)?, stream).await?;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await?;
    let mut response = String::new();
    stream.read_to_string(&mut response).await?;
    let status: u16 = response.split(' ').nth(1).ok_or("not a response")?.parse()?;
    let (_, body) = response.split_once("\r\n\r\n").ok_or("not a response")?;
    Ok(json!({ "status": status, "body": body }))
}

/// HTTP/2 with prior knowledge.
pub(crate) async fn h2(address: &str) -> Result<Value, Box<dyn Error>> {
    let request = Request::get(format!("http://{address}/")).body(Full::default())?;
    let (status, body, _) = send(address, request).await?;
    Ok(json!({ "status": status, "body": str::from_utf8(&body)? }))
}

/// A unary gRPC call with a message of three bytes.
pub(crate) async fn grpc(address: &str) -> Result<Value, Box<dyn Error>> {
    let message = Bytes::from_static(b"\0\0\0\0\x03abc");
    let request = Request::post(format!("http://{address}/peers.Echo/Echo"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::new(message.clone()))?;
    let (status, body, trailers) = send(address, request).await?;
    let grpc_status = trailers.get("grpc-status").map(|status| String::from_utf8_lossy(status.as_bytes()));
    Ok(json!({ "status": status, "echoed": body == message, "grpc_status": grpc_status }))
}

async fn send(address: &str, request: Request<Full<Bytes>>) -> Result<(u16, Bytes, HeaderMap), Box<dyn Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let response: Response<Incoming> = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let whole = response.into_body().collect().await?;
    let trailers = whole.trailers().cloned().unwrap_or_default();
    Ok((status, whole.to_bytes(), trailers))
}
