//! Load, and the check that the answer is right before it is asked for a hundred thousand times.

mod client;
mod h2load;
mod plain;
mod wrk;

use std::{net::SocketAddr, path::Path};

use crate::{Result, certificate::Certificate, tools::Tools};

pub(crate) use client::Idle;
pub(crate) use plain::{Response, ask};

/// Connections of HTTP/1.1.
const CONNECTIONS: usize = 64;
/// Connections of HTTP/2, and streams on each: as many requests in flight as on HTTP/1.1.
const H2_CONNECTIONS: usize = 8;
const H2_STREAMS: usize = 8;
/// Clients that do handshakes at the same time.
const HANDSHAKES: usize = 32;
/// Of a message, without its five bytes of frame.
const GRPC_MESSAGE: usize = 100;

/// What clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// `GET /` with a response of 256 bytes.
    Bare,
    /// The same, through each of this many routes in turn.
    Routes(usize),
    /// `GET` with a larger response.
    Download(Size),
    /// `POST` with a body of 1 MiB.
    Upload,
    /// `GET /` over HTTP/2.
    Http2,
    /// A unary call.
    Grpc,
    /// A handshake, one request and a close for each connection.
    Handshakes { resumed: bool },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    KiB,
    MiB,
}

impl Size {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::KiB => 1024,
            Self::MiB => 1024 * 1024,
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::KiB => "/1KiB",
            Self::MiB => "/1MiB",
        }
    }
}

/// What came of a load.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Done {
    /// Answered as they should be; for handshakes, the connections.
    pub(crate) requests: u64,
    /// Whatever was not: other statuses, broken connections, timeouts.
    pub(crate) failed: u64,
    pub(crate) seconds: f64,
    pub(crate) p99_ms: Option<f64>,
    /// Handshakes that resumed a session.
    pub(crate) resumed: Option<u64>,
}

/// Where loads come from.
pub(crate) struct Clients<'a> {
    pub(crate) tools: &'a Tools,
    pub(crate) certificate: &'a Certificate,
    pub(crate) cores: &'a str,
    /// For scripts and bodies.
    pub(crate) folder: &'a Path,
}

impl Load {
    /// Whether one request is answered as it should be.
    pub(crate) fn check(self, server: SocketAddr, clients: &Clients<'_>) -> Result<()> {
        match self {
            Self::Bare => expect(&ask(server, "GET", "/", 0)?, 256),
            Self::Routes(count) => {
                for number in [0, count / 2, count - 1] {
                    expect(&ask(server, "GET", &format!("/service-{number}/a"), 0)?, 256)?;
                }
                let elsewhere = ask(server, "GET", &format!("/service-{count}/a"), 0)?;
                if elsewhere.status == 404 { Ok(()) } else { Err(format!("not 404 but {}", elsewhere.status)) }
            }
            Self::Download(size) => expect(&ask(server, "GET", size.path(), 0)?, size.bytes()),
            Self::Upload => expect(&ask(server, "POST", "/upload", Size::MiB.bytes())?, 256),
            Self::Http2 => client::call_h2(server, clients),
            Self::Grpc => client::call_grpc(server, clients),
            Self::Handshakes { .. } => client::call_tls(server, clients),
        }
    }

    /// Makes the load for this long.
    pub(crate) fn run(self, server: SocketAddr, seconds: u64, clients: &Clients<'_>) -> Result<Done> {
        match self {
            Self::Bare => wrk::run(&wrk::Script::get("/"), server, seconds, clients),
            Self::Routes(count) => wrk::run(&wrk::Script::routes(count), server, seconds, clients),
            Self::Download(size) => wrk::run(&wrk::Script::get(size.path()), server, seconds, clients),
            Self::Upload => {
                wrk::run(&wrk::Script::post("/upload", Size::MiB.bytes()), server, seconds, clients)
            }
            Self::Http2 => h2load::get(server, seconds, clients),
            Self::Grpc => h2load::grpc(server, seconds, clients),
            Self::Handshakes { resumed } => client::handshakes(server, resumed, seconds, clients),
        }
    }
}

fn expect(response: &Response, length: usize) -> Result<()> {
    if response.status != 200 {
        return Err(format!("not 200 but {}", response.status));
    }
    if response.body.len() != length || response.body.iter().any(|&byte| byte != b'x') {
        return Err(format!("not the body of {length} bytes but one of {}", response.body.len()));
    }
    Ok(())
}

/// As long as one that is signed by RS256, 555 bytes; no proxy here looks into it.
pub(crate) fn bearer_token() -> String {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut token: Vec<u8> = letters.bytes().cycle().take(555).collect();
    (token[36], token[212]) = (b'.', b'.');
    String::from_utf8_lossy(&token).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_has_three_parts_and_555_bytes() {
        let token = bearer_token();
        assert_eq!((token.len(), token.split('.').count()), (555, 3));
    }
}
