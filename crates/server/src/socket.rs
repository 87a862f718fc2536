//! Binding sockets.

use std::{error::Error, fmt, io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// How many connections may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// An address that could not be listened on.
#[derive(Debug)]
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

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.source.kind() {
            io::ErrorKind::AddrInUse => "the port is taken",
            io::ErrorKind::AddrNotAvailable => "this machine does not have the address",
            io::ErrorKind::PermissionDenied => "the permission is missing",
            _ => "the system refuses",
        };
        write!(f, "cannot listen on {}: {why}", self.address)
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

/// Binds `count` sockets to one address; more than one share its port, and the kernel spreads connections over them.
pub(crate) fn bind(address: SocketAddr, count: usize) -> Result<Vec<std::net::TcpListener>, BindError> {
    let mut sockets = Vec::with_capacity(count);
    let mut bound = address;
    if count > 1 && address.port() != 0 {
        // Sockets that share a port would share it with another process too, which is taken for a mistake.
        bind_one(address, false).map_err(|source| BindError { address, source })?;
    }
    for _ in 0..count {
        let socket = bind_one(bound, count > 1).map_err(|source| BindError { address, source })?;
        // Port 0 has become a real one, which the others must share.
        bound = socket.local_addr().map_err(|source| BindError { address, source })?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn bind_one(address: SocketAddr, shared: bool) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server that ran here before may still be waiting out their end.
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_share_a_port_with_each_other_but_not_with_another_server() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = bind(any, 2).expect("a free port");
        let address = first[0].local_addr().expect("is bound");
        assert_eq!(first[1].local_addr().expect("is bound"), address);
        let error = bind(address, 2).expect_err("is taken");
        assert_eq!(error.to_string(), format!("cannot listen on {address}: the port is taken"));
        drop(first);
        bind(address, 2).expect("is free again");
    }
}
