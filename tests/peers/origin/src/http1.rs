//! HTTP/1.1 with as little work as can be, so that it does not bound what is measured.
//!
//! Only what well-behaved proxies send is understood: a head that ends with an empty line, and a body with its length.
//! All else closes the connection, which every measurement would show. A request's body is read to its end before the
//! response begins.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use memchr::memmem;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// Connections that were taken so far. `GET /accepted` tells it.
static ACCEPTED: AtomicU64 = AtomicU64::new(0);

/// Of a head together with what came along with it.
const BUFFER: usize = 64 * 1024;

/// The responses, ready to be sent.
struct Responses {
    bare: Vec<u8>,
    kibibyte: Vec<u8>,
    mebibyte: Vec<u8>,
}

pub(crate) async fn serve(listener: TcpListener) -> io::Result<()> {
    let responses: &'static Responses = Box::leak(Box::new(Responses {
        bare: with_head(&vec![b'x'; 256]),
        kibibyte: with_head(&vec![b'x'; 1024]),
        mebibyte: with_head(&vec![b'x'; 1024 * 1024]),
    }));
    loop {
        let (stream, _) = listener.accept().await?;
        ACCEPTED.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(async move {
            // Proxies that are stopped cut their connections.
            let _ = converse(stream, responses).await;
        });
    }
}

fn with_head(body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

async fn converse(mut stream: TcpStream, responses: &Responses) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER];
    let mut filled = 0;
    loop {
        let Some(end) = end_of_head(&buffer[..filled]) else {
            if filled == BUFFER {
                return Err(io::Error::other("the head is too long"));
            }
            match stream.read(&mut buffer[filled..]).await? {
                0 => return Ok(()),
                read => filled += read,
            }
            continue;
        };
        let (target, length) = parse(&buffer[..end]).ok_or_else(|| io::Error::other("not a request"))?;
        let told;
        let response = match target {
            b"/1KiB" => &responses.kibibyte,
            b"/1MiB" => &responses.mebibyte,
            b"/accepted" => {
                told = with_head(ACCEPTED.load(Ordering::Relaxed).to_string().as_bytes());
                &told
            }
            _ => &responses.bare,
        };
        let here = length.min(filled - end);
        let mut missing = length - here;
        buffer.copy_within(end + here..filled, 0);
        filled -= end + here;
        while missing > 0 {
            // Nothing follows the part of a body that is not there yet, so the buffer is free.
            let wanted = missing.min(BUFFER);
            match stream.read(&mut buffer[..wanted]).await? {
                0 => return Ok(()),
                read => missing -= read,
            }
        }
        stream.write_all(response).await?;
    }
}

/// Where the head ends, behind the empty line.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    memmem::find(bytes, b"\r\n\r\n").map(|position| position + 4)
}

/// The target and the length of the body.
fn parse(head: &[u8]) -> Option<(&[u8], usize)> {
    let line = head.split(|&byte| byte == b'\r').next()?;
    let target = line.split(|&byte| byte == b' ').nth(1)?;
    if line.starts_with(b"GET ") {
        return Some((target, 0));
    }
    let mut length = None;
    for line in head.split(|&byte| byte == b'\n') {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        if name.eq_ignore_ascii_case(b"content-length") {
            length = std::str::from_utf8(&value[1..]).ok()?.trim().parse().ok();
        }
    }
    Some((target, length?))
}
