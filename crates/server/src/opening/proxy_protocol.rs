//! The PROXY protocol, versions 1 and 2
//! (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>), from peers that are trusted to speak it.
//!
//! A trusted peer must send the header. From any other peer the header is read as HTTP and refused.

use std::{io, net::SocketAddr};

use bytes::BytesMut;
use ppp::{v1, v2};
use tokio::io::AsyncReadExt;

use crate::transport::Socket;

/// The longest line of version 1, as its specification says.
const MAX_V1: usize = 107;
/// The length of a header with addresses and many extensions.
const MAX_V2: usize = 4096;
const V2_FIXED: usize = 16;

/// The header is missing or malformed.
#[derive(Debug, thiserror::Error)]
#[error("the PROXY header is missing or malformed")]
pub(crate) struct BadHeader(());

pub(super) fn bad() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, BadHeader(()))
}

/// The origin of a connection, as the header names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The client's address, and the address that the client connected to.
    Client(SocketAddr, SocketAddr),
    /// The proxy cannot name the client.
    Unknown,
    /// The connection is the proxy's own, for example a health check.
    Proxy,
}

/// Reads the header, and puts back the bytes after it.
pub(super) async fn read(socket: &mut Socket) -> io::Result<Origin> {
    let mut bytes = BytesMut::with_capacity(256);
    loop {
        if socket.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some((length, origin)) = parse(&bytes)? {
            let _ = bytes.split_to(length);
            socket.put_back(bytes.freeze());
            return Ok(origin);
        }
    }
}

/// Gives the length of the header and the origin; `None` asks for more bytes.
fn parse(bytes: &[u8]) -> io::Result<Option<(usize, Origin)>> {
    let is_v2 = v2::PROTOCOL_PREFIX.iter().zip(bytes).all(|(expected, byte)| expected == byte);
    if is_v2 { parse_v2(bytes) } else { parse_v1(bytes) }
}

fn parse_v1(bytes: &[u8]) -> io::Result<Option<(usize, Origin)>> {
    const START: &[u8] = b"PROXY ";
    if !START.iter().zip(bytes).all(|(expected, byte)| expected == byte) {
        return Err(bad());
    }
    let window = &bytes[..bytes.len().min(MAX_V1)];
    let Some(end) = memchr::memchr(b'\n', window) else {
        return if window.len() == MAX_V1 { Err(bad()) } else { Ok(None) };
    };
    let line = &bytes[..=end];
    let header = v1::Header::try_from(line).map_err(|_| bad())?;
    let origin = match header.addresses {
        v1::Addresses::Tcp4(ip) => Origin::Client(
            SocketAddr::new(ip.source_address.into(), ip.source_port),
            SocketAddr::new(ip.destination_address.into(), ip.destination_port),
        ),
        v1::Addresses::Tcp6(ip) => Origin::Client(
            SocketAddr::new(ip.source_address.into(), ip.source_port),
            SocketAddr::new(ip.destination_address.into(), ip.destination_port),
        ),
        v1::Addresses::Unknown => Origin::Unknown,
    };
    Ok(Some((line.len(), origin)))
}

fn parse_v2(bytes: &[u8]) -> io::Result<Option<(usize, Origin)>> {
    let Some(fixed) = bytes.get(..V2_FIXED) else { return Ok(None) };
    let length = V2_FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if length > MAX_V2 {
        return Err(bad());
    }
    let Some(whole) = bytes.get(..length) else { return Ok(None) };
    let header = v2::Header::try_from(whole).map_err(|_| bad())?;
    let origin = match (header.command, header.addresses) {
        (v2::Command::Local, _) => Origin::Proxy,
        (_, v2::Addresses::IPv4(ip)) => Origin::Client(
            SocketAddr::new(ip.source_address.into(), ip.source_port),
            SocketAddr::new(ip.destination_address.into(), ip.destination_port),
        ),
        (_, v2::Addresses::IPv6(ip)) => Origin::Client(
            SocketAddr::new(ip.source_address.into(), ip.source_port),
            SocketAddr::new(ip.destination_address.into(), ip.destination_port),
        ),
        (_, v2::Addresses::Unspecified | v2::Addresses::Unix(_)) => Origin::Unknown,
    };
    Ok(Some((length, origin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(source: &str, destination: &str) -> Origin {
        Origin::Client(source.parse().expect("an address"), destination.parse().expect("an address"))
    }

    fn v2_header(command: u8, family: u8, body: &[u8]) -> Vec<u8> {
        let mut header = v2::PROTOCOL_PREFIX.to_vec();
        header.extend([0x20 | command, family]);
        header.extend(u16::try_from(body.len()).expect("short").to_be_bytes());
        header.extend(body);
        header
    }

    #[test]
    fn both_versions_give_the_addresses_however_they_are_split() {
        let v2 = v2_header(1, 0x11, &[192, 0, 2, 1, 198, 51, 100, 1, 0x12, 0x67, 1, 187, 4, 0, 1, 0]);
        let v1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 4711 443\r\n".to_vec();
        for header in [v2, v1] {
            for cut in 0..header.len() {
                assert!(parse(&header[..cut]).expect("valid so far").is_none(), "{cut}");
            }
            let more = [&header[..], b"GET /"].concat();
            let parsed = parse(&more).expect("valid").expect("whole");
            assert_eq!(parsed, (header.len(), client("192.0.2.1:4711", "198.51.100.1:443")));
        }
    }

    #[test]
    fn ipv6_is_read_too() {
        let line = b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n";
        let (_, origin) = parse(line).expect("valid").expect("whole");
        assert_eq!(origin, client("[2001:db8::1]:1", "[2001:db8::2]:2"));
        let mut body = [0_u8; 36];
        body[15] = 1;
        body[33] = 7;
        let (_, origin) = parse(&v2_header(1, 0x21, &body)).expect("valid").expect("whole");
        assert_eq!(origin, client("[::1]:7", "[::]:0"));
    }

    #[test]
    fn a_header_without_addresses_says_whether_the_connection_is_the_proxys_own() {
        let origin = |header: &[u8]| parse(header).expect("valid").expect("whole").1;
        assert_eq!(origin(b"PROXY UNKNOWN\r\n"), Origin::Unknown);
        assert_eq!(origin(&v2_header(1, 0, b"")), Origin::Unknown);
        assert_eq!(origin(&v2_header(1, 0x31, &[0; 216])), Origin::Unknown);
        assert_eq!(origin(&v2_header(0, 0, b"")), Origin::Proxy);
        assert_eq!(origin(&v2_header(0, 0x11, &[0; 12])), Origin::Proxy);
    }

    #[test]
    fn anything_else_is_refused() {
        let long = [b"PROXY TCP4 ", &[b'1'; 120][..]].concat();
        let huge = v2_header(1, 0x11, &[0; 5000]);
        let short = v2_header(1, 0x11, &[0; 4]);
        let version = [v2::PROTOCOL_PREFIX, &[0x31, 0x11, 0, 12], &[0; 12]].concat();
        for bad in [
            b"GET / HTTP/1.1\r\n".as_slice(),
            b"PROXY TCP4 a b c d\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 4711\r\n",
            b"PROXY UNKNOWN\n",
            b"proxy UNKNOWN\r\n",
            &long,
            &huge,
            &short,
            &version,
        ] {
            assert!(parse(bad).is_err(), "{}", bad.escape_ascii());
        }
    }
}
