//! Opens connections to one endpoint.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use gatewright_core::{Error, ErrorKind};
use tokio::net::TcpStream;

#[cfg(feature = "tls")]
use crate::ClientTls;
use crate::{Protocol, Resolver, Target, stream::Stream};

/// How connections to one endpoint are opened.
#[derive(Debug)]
pub(crate) struct Connector {
    pub(crate) target: Target,
    pub(crate) resolver: Resolver,
    pub(crate) timeout: Duration,
    #[cfg(feature = "tls")]
    pub(crate) tls: Option<ClientTls>,
    /// The address with which the next connection begins, when the name has several.
    pub(crate) turn: AtomicUsize,
}

/// An open connection, and whether HTTP/2 is to be spoken on it.
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    pub(crate) http2: bool,
}

impl Connector {
    /// Gives up when opening a connection takes too long.
    pub(crate) async fn in_time<T>(&self, opening: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match tokio::time::timeout(self.timeout, opening).await {
            Ok(result) => result,
            Err(_) => Err(self.timed_out()),
        }
    }

    pub(crate) fn timed_out(&self) -> Error {
        Error::new(
            ErrorKind::ConnectTimeout,
            format!("{}: not connected within {:?}", self.target, self.timeout),
        )
    }

    /// Opens a connection, without a time limit. Under TLS, `protocol` decides what is offered by ALPN.
    pub(crate) async fn open(&self, protocol: Protocol) -> Result<Opened, Error> {
        let stream = self.open_tcp().await?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let (stream, http2) = tls.handshake(&self.target, protocol, stream).await?;
            return Ok(Opened { stream: Stream::Tls(Box::new(stream)), http2 });
        }
        Ok(Opened { stream: Stream::Plain(stream), http2: protocol == Protocol::Http2 })
    }

    async fn open_tcp(&self) -> Result<TcpStream, Error> {
        let mut addresses = self.resolver.resolve(&self.target).await.map_err(|error| {
            Error::new(
                ErrorKind::Resolve,
                io::Error::new(error.kind(), format!("{}: {error}", self.target.host())),
            )
        })?;
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len();
        addresses.rotate_left(turn);
        let mut failure = None;
        for address in addresses {
            match TcpStream::connect(address).await {
                Ok(stream) => {
                    // Small writes go out at once; heads and bodies are written together where they can be.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Err(error) => failure = Some(io::Error::new(error.kind(), format!("{address}: {error}"))),
            }
        }
        self.resolver.forget(self.target.host());
        Err(Error::new(ErrorKind::Connect, failure.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into())))
    }
}
