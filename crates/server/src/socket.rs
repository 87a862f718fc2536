//! Binding listening sockets.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket, Type};

/// The number of connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// An address cannot be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {}", why(.source))]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

impl BindError {
    /// The address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// The reason in a few words; the system's own text follows as the source.
fn why(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is taken",
        io::ErrorKind::AddrNotAvailable => "this machine does not have the address",
        io::ErrorKind::PermissionDenied => "the permission is missing",
        _ => "the system refuses",
    }
}

/// Binds `count` sockets to each address. The sockets of one address share its port, and the kernel spreads connections
/// over them. A connection goes to the listener with the most specific address.
pub(crate) fn bind(
    addresses: &[SocketAddr],
    count: usize,
) -> Result<Vec<Vec<std::net::TcpListener>>, BindError> {
    let kinds: Vec<_> = addresses.iter().map(|address| Kind::of(*address, addresses, count)).collect();
    // Sockets that share a port would also share it with another process, which is most likely a mistake. So each address
    // is first tried alone, before this server's own listeners share ports.
    for (index, (&address, kind)) in addresses.iter().zip(&kinds).enumerate() {
        let is_same =
            |other: &SocketAddr| other.port() == address.port() && canonical(*other) == canonical(address);
        if address.port() != 0 && addresses[..index].iter().any(is_same) {
            return Err(BindError { address, source: io::ErrorKind::AddrInUse.into() });
        }
        if kind.shared && address.port() != 0 {
            let alone = Kind { shared: false, ..*kind };
            bind_one(address, alone).map_err(|source| BindError { address, source })?;
        }
    }
    addresses.iter().zip(&kinds).map(|(address, kind)| bind_all(*address, *kind, count)).collect()
}

fn bind_all(address: SocketAddr, kind: Kind, count: usize) -> Result<Vec<std::net::TcpListener>, BindError> {
    let mut sockets = Vec::with_capacity(count);
    let mut bound = address;
    for _ in 0..count {
        let socket = bind_one(bound, kind).map_err(|source| BindError { address, source })?;
        // Port 0 has become a real port, which the other sockets must share.
        bound = socket.local_addr().map_err(|source| BindError { address, source })?;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// How a socket shares its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    /// Other sockets of this process may bind the port too.
    shared: bool,
    /// Another listener takes the IPv4 connections of the port.
    only_v6: bool,
}

impl Kind {
    fn of(address: SocketAddr, all: &[SocketAddr], count: usize) -> Self {
        let others = || all.iter().filter(|other| other.port() == address.port() && **other != address);
        Self {
            shared: count > 1 || (address.port() != 0 && others().next().is_some()),
            only_v6: is_every_v6(address) && address.port() != 0 && others().any(|other| is_every_v4(*other)),
        }
    }
}

/// IPv4 mapped into IPv6 is IPv4.
fn canonical(address: SocketAddr) -> IpAddr {
    address.ip().to_canonical()
}

fn is_every_v6(address: SocketAddr) -> bool {
    address.is_ipv6() && address.ip().is_unspecified()
}

fn is_every_v4(address: SocketAddr) -> bool {
    address.is_ipv4() && address.ip().is_unspecified()
}

fn bind_one(address: SocketAddr, kind: Kind) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of an earlier server may still be in TIME_WAIT.
    socket.set_reuse_address(true)?;
    if kind.shared {
        socket.set_reuse_port(true)?;
    }
    if is_every_v6(address) {
        // Set in both cases, because the default differs from system to system.
        socket.set_only_v6(kind.only_v6)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn one(address: SocketAddr, count: usize) -> Result<Vec<std::net::TcpListener>, BindError> {
        bind(&[address], count).map(|mut bound| bound.remove(0))
    }

    fn free_port() -> u16 {
        let socket = one(SocketAddr::from(([0, 0, 0, 0], 0)), 1).expect("a free port");
        socket[0].local_addr().expect("is bound").port()
    }

    #[test]
    fn workers_share_a_port_with_each_other_but_not_with_another_server() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = one(any, 2).expect("a free port");
        let address = first[0].local_addr().expect("is bound");
        assert_eq!(first[1].local_addr().expect("is bound"), address);
        let error = one(address, 2).expect_err("is taken");
        assert_eq!(error.to_string(), format!("cannot listen on {address}: the port is taken"));
        drop(first);
        one(address, 2).expect("is free again");
    }

    #[test]
    fn one_address_is_listened_on_once() {
        for second in ["127.0.0.1", "::ffff:127.0.0.1"] {
            let port = free_port();
            let both = ["127.0.0.1", second].map(|ip| SocketAddr::new(ip.parse().expect("an address"), port));
            for workers in [1, 2] {
                let error = bind(&both, workers).expect_err("is taken by the first one");
                assert_eq!(error.address(), both[1]);
            }
        }
    }

    /// For listeners of one port: the address that a client connects to, and which listener it comes to.
    #[test]
    fn listeners_share_a_port_and_the_most_exact_one_is_asked() {
        type Case<'a> = (&'a [&'a str], &'a [(&'a str, usize)]);
        let cases: [Case<'_>; 6] = [
            (&["0.0.0.0", "127.0.0.1"], &[("127.0.0.1", 1), ("127.0.0.2", 0)]),
            (&["127.0.0.1", "0.0.0.0"], &[("127.0.0.1", 0), ("127.0.0.2", 1)]),
            (&["::", "::1"], &[("::1", 1), ("127.0.0.1", 0)]),
            (&["::", "0.0.0.0"], &[("::1", 0), ("127.0.0.1", 1)]),
            (&["::", "127.0.0.1"], &[("::1", 0), ("127.0.0.1", 1), ("127.0.0.2", 0)]),
            (&["::"], &[("::1", 0), ("127.0.0.1", 0)]),
        ];
        for workers in [1, 2] {
            for (listeners, clients) in cases {
                let port = free_port();
                let at = |ip: &str| SocketAddr::new(ip.parse::<IpAddr>().expect("an address"), port);
                let addresses: Vec<_> = listeners.iter().map(|ip| at(ip)).collect();
                let bound = bind(&addresses, workers).unwrap_or_else(|error| panic!("{listeners:?}: {error}"));
                for (client, expected) in clients {
                    let _stream = TcpStream::connect(at(client)).expect("connects");
                    let accepts =
                        |sockets: &Vec<std::net::TcpListener>| sockets.iter().any(|it| it.accept().is_ok());
                    assert_eq!(bound.iter().position(accepts), Some(*expected), "{client} at {listeners:?}");
                }
                let error = bind(&addresses[..1], workers).expect_err("is taken");
                assert_eq!(error.to_string(), format!("cannot listen on {}: the port is taken", addresses[0]));
            }
        }
    }
}
