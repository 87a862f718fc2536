//! HTTP/2 over cleartext.

mod floods;
mod limits;
mod responses;
mod rules;
mod streams;
mod unread;

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, Response, Version};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::Running;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(20);

async fn client(server: &Running) -> SendRequest<Bytes> {
    let (send, connection) = h2::client::handshake(server.connect().await).await.expect("shakes hands");
    tokio::spawn(connection);
    send
}

fn get(uri: &str) -> http::request::Builder {
    Request::builder().version(Version::HTTP_2).uri(uri)
}

/// Sends a request without a body, and gives the status or the reason of the reset.
async fn send(client: &SendRequest<Bytes>, request: Request<()>) -> Result<Response<Bytes>, h2::Error> {
    let mut client = client.clone().ready().await?;
    let (response, _) = client.send_request(request, true)?;
    let (head, mut body) = response.await?.into_parts();
    let mut bytes = Vec::new();
    while let Some(chunk) = body.data().await {
        bytes.extend(chunk?);
    }
    Ok(Response::from_parts(head, bytes.into()))
}

/// An HPACK literal without indexing.
fn literal(name: &str, value: &str) -> Vec<u8> {
    let mut bytes = vec![0];
    for text in [name, value] {
        assert!(text.len() < 127);
        bytes.push(u8::try_from(text.len()).expect("short"));
        bytes.extend(text.as_bytes());
    }
    bytes
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let pseudo = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a")];
    pseudo.iter().chain(fields).flat_map(|(name, value)| literal(name, value)).collect()
}

/// A raw client that has sent its preface and settings.
async fn raw(server: &Running) -> TcpStream {
    let mut stream = server.connect().await;
    stream.write_all(&[PREFACE, &frame(4, 0, 0, &[])].concat()).await.expect("sends");
    stream
}

/// The frames that come until the connection ends: kind, stream, payload.
async fn frames(stream: &mut TcpStream, patience: Duration) -> (Vec<(u8, u32, Vec<u8>)>, bool) {
    let (mut bytes, mut frames) = (Vec::new(), Vec::new());
    let closed = loop {
        match timeout(patience, stream.read_buf(&mut bytes)).await {
            Err(_) => break false,
            Ok(Ok(0)) => break true,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => panic!("reset: {error}"),
        }
    };
    let mut rest = &bytes[..];
    while let [l0, l1, l2, kind, _, s0, s1, s2, s3, ..] = rest {
        let length = usize::from(*l0) << 16 | usize::from(*l1) << 8 | usize::from(*l2);
        frames.push((*kind, u32::from_be_bytes([*s0, *s1, *s2, *s3]), rest[9..9 + length].to_vec()));
        rest = &rest[9 + length..];
    }
    assert!(rest.is_empty(), "half a frame");
    (frames, closed)
}

fn goaway_code(frames: &[(u8, u32, Vec<u8>)]) -> Option<u32> {
    let (_, _, payload) = frames.iter().rev().find(|(kind, _, _)| *kind == 7)?;
    payload.get(4..8).map(|code| u32::from_be_bytes(code.try_into().expect("four bytes")))
}
