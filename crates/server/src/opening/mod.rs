//! The opening of a connection, from the accepted socket to the protocol that it speaks.
//!
//! Invariants:
//!
//! 1. The steps have this order: the PROXY header, the TLS handshake, the first bytes that tell the protocol. A step that
//!    the listener does not ask for is left out.
//! 2. Bytes that a step reads beyond its own end are put back, so that the next step reads them.
//! 3. All steps together have one limit of time, and end when a drain has lasted `DRAIN_GRACE`.
//! 4. A connection that fails here is reported once, unless the client has gone away or the server drains.
//! 5. The guards live until the connection is closed, whatever its end.

#[cfg(feature = "tls")]
mod plain_http;
mod preface;
mod proxy_protocol;

use std::{io, net::SocketAddr, sync::Arc};

use gatewright_core::ConnectionInfo;
use preface::Protocol;
use proxy_protocol::Origin;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    connection::{Accepted, Shared},
    drain::{DRAIN_GRACE, Phase},
    http1, http2,
    listener::Entry,
    refused::Refused,
    service::Application,
    transport::{Activity, Socket, Transport},
};
#[cfg(feature = "tls")]
use crate::{
    connection::{Linger, close, encode_last},
    refused::RequestLine,
    tls::Kind,
};

const BAD_PROXY_HEADER: &str = "bad_proxy_header";

/// Serves one accepted socket until it closes, and keeps the guards as long.
pub(crate) async fn serve<S>(
    stream: TcpStream,
    peer: SocketAddr,
    entry: Arc<Entry>,
    service: S,
    shared: Arc<Shared>,
    guards: impl Send + 'static,
) where
    S: Application,
{
    // This fails only if the peer has closed the socket already.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    // Boxed, so that the memory of a handshake is not held as long as the connection lives.
    let opened = timeout(shared.limits.header_timeout, Box::pin(open(stream, peer, local, &entry)));
    let ending = async {
        shared.connections.wait_for(Phase::Draining).await;
        tokio::time::sleep(DRAIN_GRACE).await;
    };
    let opened = tokio::select! {
        opened = opened => opened,
        () = ending => return,
    };
    let (transport, accepted, protocol) = match opened {
        Ok(Ok(Opened::Ready(transport, accepted, protocol))) => (transport, accepted, protocol),
        #[cfg(feature = "tls")]
        Ok(Ok(Opened::PlainHttp(transport, accepted, line))) => {
            entry.failures().note(Kind::PlainHttp, entry.name(), accepted.info.peer(), None);
            let response = plain_http::response();
            let last = encode_last(&response, line.is_head());
            accepted.refused(&shared, Some(&response), Kind::PlainHttp.word(), Some(line));
            close(transport, last, Linger::Yes, &shared).await;
            return;
        }
        failed => {
            let failed = failed.ok().and_then(Result::err);
            if failed.as_ref().is_some_and(is_hang_up) {
                return;
            }
            let reason = match &failed {
                Some(error) => {
                    tracing::debug!(%peer, %error, "a connection failed before its first request");
                    reason(error)
                }
                None => "slow_handshake",
            };
            #[cfg(feature = "tls")]
            if entry.tls().is_some() && reason != BAD_PROXY_HEADER {
                let kind = failed.as_ref().map_or(Kind::Slow, Kind::of);
                entry.failures().note(kind, entry.name(), peer, failed.as_ref());
            }
            let listener = Arc::clone(entry.name());
            (shared.on_refused.0)(&Refused::new(peer, listener, None, reason, None));
            return;
        }
    };
    match protocol {
        Protocol::Http1 => http1::serve(transport, service, accepted, shared).await,
        // Boxed, so that HTTP/1 connections do not pay for its size.
        Protocol::Http2 => Box::pin(http2::serve(transport, service, accepted, shared)).await,
    }
    drop(guards);
}

/// A connection before its first request.
enum Opened {
    Ready(Transport, Accepted, Protocol),
    /// The client sends plain HTTP to a TLS listener.
    #[cfg(feature = "tls")]
    PlainHttp(Transport, Accepted, RequestLine),
}

/// Takes all the steps before HTTP.
async fn open(stream: TcpStream, peer: SocketAddr, local: SocketAddr, entry: &Entry) -> io::Result<Opened> {
    let mut socket = Socket::new(stream, Arc::new(Activity::new()));
    let info = match entry.expects_proxy_header(peer.ip()) {
        false => ConnectionInfo::new(peer, local),
        true => match proxy_protocol::read(&mut socket).await? {
            Origin::Client(source, destination) => ConnectionInfo::new(source, destination),
            // The proxy is trusted, but it does not vouch for a client that it cannot name.
            Origin::Unknown => ConnectionInfo::new(peer, local).with_unknown_client(),
            Origin::Proxy => ConnectionInfo::new(peer, local),
        },
    };
    let info = info.with_listener(Arc::clone(entry.name()));
    #[cfg(feature = "tls")]
    if let Some(tls) = entry.tls() {
        if let Some(line) = plain_http::read(&mut socket).await? {
            let accepted = Accepted { info, host_check: None };
            return Ok(Opened::PlainHttp(Transport::Plain(socket), accepted, line));
        }
        let (stream, info, host_check) = tls.accept(socket, info, entry.handshakes()).await?;
        let chosen = stream.get_ref().1.alpn_protocol().map(Protocol::of_alpn);
        let accepted = Accepted { info, host_check };
        let protocol = chosen.unwrap_or(Protocol::Http1);
        return Ok(Opened::Ready(Transport::Tls(Box::new(stream)), accepted, protocol));
    }
    let protocol = preface::read(&mut socket).await?;
    Ok(Opened::Ready(Transport::Plain(socket), Accepted { info, host_check: None }, protocol))
}

/// Whether the client went away, which is not a fault.
fn is_hang_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
    )
}

fn reason(error: &io::Error) -> &'static str {
    match error.get_ref() {
        Some(inner) if inner.is::<proxy_protocol::BadHeader>() => BAD_PROXY_HEADER,
        _ => "handshake",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_went_away_is_told_from_one_that_is_wrong() {
        for (kind, expected) in [
            (io::ErrorKind::UnexpectedEof, true),
            (io::ErrorKind::ConnectionReset, true),
            (io::ErrorKind::BrokenPipe, true),
            (io::ErrorKind::InvalidData, false),
            (io::ErrorKind::TimedOut, false),
            (io::ErrorKind::Other, false),
        ] {
            assert_eq!(is_hang_up(&kind.into()), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_failure_before_the_first_request_is_named_by_what_failed() {
        let other = |kind| reason(&io::Error::new(kind, "something else"));
        assert_eq!(reason(&proxy_protocol::bad()), "bad_proxy_header");
        // TLS says that data are invalid, too.
        assert_eq!(other(io::ErrorKind::InvalidData), "handshake");
        assert_eq!(other(io::ErrorKind::Other), "handshake");
        assert_eq!(reason(&io::ErrorKind::InvalidData.into()), "handshake");
    }
}
