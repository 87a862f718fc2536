//! One request of HTTP/1.1, on a connection of its own.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::bearer_token;
use crate::Result;

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Sends a request with a body of this length, and reads the response.
pub(crate) fn ask(server: SocketAddr, method: &str, target: &str, length: usize) -> Result<Response> {
    let problem = |error: std::io::Error| format!("{method} {target}: {error}");
    let mut stream = TcpStream::connect(server).map_err(problem)?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).map_err(problem)?;
    let token = bearer_token();
    let content_length = if length > 0 { format!("content-length: {length}\r\n") } else { String::new() };
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: {server}\r\nauthorization: Bearer {token}\r\n{content_length}connection: close\r\n\r\n"
    );
    let mut request = head.into_bytes();
    request.resize(request.len() + length, b'x');
    stream.write_all(&request).map_err(problem)?;
    let mut response = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        if let Some(response) = parse(&response) {
            return Ok(response);
        }
        match stream.read(&mut part).map_err(problem)? {
            0 => return Err(format!("{method} {target}: the response broke off")),
            read => response.extend(&part[..read]),
        }
    }
}

/// A response with a length and not in chunks, as the origin sends it; `None` until it is whole.
fn parse(response: &[u8]) -> Option<Response> {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = str::from_utf8(&response[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length: usize = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
    })?;
    let body: &[u8] = &response[end + 4..];
    (body.len() == length).then(|| Response { status, body: body.to_vec() })
}
