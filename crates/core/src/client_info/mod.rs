//! Who the client is, after trusted hops.
//!
//! 1. The peer is who holds the other end of the connection. When it is no trusted proxy, it is the client.
//! 2. When it is one, the hops that it names are read from the right, and the first that is no trusted proxy is the
//!    client. What stands left of it was written by nobody we trust.
//! 3. Each hop is judged alone, as bytes. One that cannot be read, or that its proxy does not name (`unknown`), ends the
//!    walk at the hop before it, whose address is then not the client's own. It says nothing of the hops to its right.
//! 4. All lines of the header are one list, and its empty elements are none (RFC 9110, sections 5.3 and 5.6.1.2).
//! 5. One header is believed, not both: a proxy that writes only one would let the client's own other one through.

mod forwarded;
mod hop;
mod network;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Request, header};
use tower_layer::Layer;
use tower_service::Service;

pub use self::network::{IpNetwork, NotANetwork};
use crate::{ConnectionInfo, RequestRecord, claims, hop_by_hop};

/// Who the client is: its address after trusted hops, and whether the peer may speak for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientInfo {
    address: IpAddr,
    known: bool,
    peer: SocketAddr,
    trusted_peer: bool,
    secure: bool,
}

impl ClientInfo {
    /// The client's address. IPv4 mapped into IPv6 is given as IPv4.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// Whether that is the client's own address. It is a proxy's where a proxy names a hop that cannot be read, or speaks for
    /// a client that it cannot name.
    pub fn is_address_known(&self) -> bool {
        self.known
    }

    /// The peer of the connection.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Whether the peer is a trusted proxy, whose forwarding headers are kept.
    pub fn is_peer_trusted(&self) -> bool {
        self.trusted_peer
    }

    /// Whether the client itself spoke TLS: to us, or to the trusted proxy that says so in `X-Forwarded-Proto`.
    pub fn is_secure(&self) -> bool {
        self.secure
    }
}

/// The header in which trusted proxies name their hops.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardedBy {
    /// `X-Forwarded-For`, what most proxies write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

type PeerOf = Arc<dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync>;

/// Writes [`ClientInfo`] into the [`RequestRecord`] of each request, and removes the [`claims`] that the peer
/// may not make.
///
/// The peer is what our own listener knows ([`ConnectionInfo`]); under another server say where it is found:
///
/// ```
/// # #[derive(Clone)] struct ConnectInfo(std::net::SocketAddr);
/// use gatewright_core::ClientInfoLayer;
///
/// // By default no peer is trusted.
/// let layer = ClientInfoLayer::new();
///
/// // Under axum, whose `ConnectInfo` holds the peer, behind a load balancer in 10.0.0.0/8.
/// let layer = ClientInfoLayer::new()
///     .trust("10.0.0.0/8".parse().unwrap())
///     .peer_from(|extensions| extensions.get::<ConnectInfo>().map(|info| info.0));
/// ```
#[derive(Clone, Default)]
pub struct ClientInfoLayer(Settings);

#[derive(Clone, Default)]
struct Settings {
    trusted: Arc<[IpNetwork]>,
    header: ForwardedBy,
    peer_of: Option<PeerOf>,
}

impl ClientInfoLayer {
    /// Trusts no peer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the proxies of one more network.
    #[must_use]
    pub fn trust(mut self, network: IpNetwork) -> Self {
        self.0.trusted = self.0.trusted.iter().copied().chain([network]).collect();
        self
    }

    /// Sets the header in which trusted proxies name their hops.
    #[must_use]
    pub fn forwarded_by(mut self, header: ForwardedBy) -> Self {
        self.0.header = header;
        self
    }

    /// Says where the peer is found when the server is not ours.
    #[must_use]
    pub fn peer_from(
        mut self,
        peer: impl Fn(&Extensions) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        self.0.peer_of = Some(Arc::new(peer));
        self
    }
}

impl Settings {
    fn read(&self, record: &RequestRecord, headers: &HeaderMap, extensions: &Extensions) -> Option<ClientInfo> {
        let connection = record.connection().map(|connection| &**connection);
        let peer = match (&self.peer_of, connection) {
            (Some(peer_of), _) => peer_of(extensions)?,
            (None, Some(connection)) => connection.peer(),
            (None, None) => return None,
        };
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let tls = connection.and_then(ConnectionInfo::tls).is_some();
        let unknown = connection.is_some_and(ConnectionInfo::is_client_unknown);
        let trusted_peer = !unknown && self.trusts(peer.ip());
        if !trusted_peer {
            return Some(ClientInfo { address: peer.ip(), known: !unknown, peer, trusted_peer, secure: tls });
        }
        let ((address, known), secure) = match self.header {
            ForwardedBy::XForwardedFor => {
                let hops = hop::elements(headers, X_FORWARDED_FOR).map(hop::address);
                let proto = hop::elements(headers, X_FORWARDED_PROTO).next();
                (self.walk(peer.ip(), hops), proto.map(is_https))
            }
            ForwardedBy::Forwarded => {
                let hops = forwarded::elements(headers).map(|element| hop::address(&element?.by_name(b"for")?));
                let peers = forwarded::elements(headers).next().flatten();
                let proto = peers.and_then(|element| element.by_name(b"proto"));
                (self.walk(peer.ip(), hops), proto.map(|proto| is_https(&proto)))
            }
        };
        Some(ClientInfo { address, known, peer, trusted_peer, secure: secure.unwrap_or(tls) })
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// The first hop from the right that is no trusted proxy, or the last one that can be read; and whether all could.
    fn walk(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> (IpAddr, bool) {
        let mut client = peer;
        for hop in hops {
            let Some(hop) = hop else { return (client, false) };
            client = hop;
            if !self.trusts(hop) {
                break;
            }
        }
        (client, true)
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

fn is_https(proto: &[u8]) -> bool {
    proto.eq_ignore_ascii_case(b"https")
}

/// The host that the client asks for: an absolute target's authority, else the `Host` field.
fn host<B>(request: &Request<B>) -> Option<HeaderValue> {
    match request.uri().authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => request.headers().get(header::HOST).cloned(),
    }
}

impl fmt::Debug for ClientInfoLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientInfoLayer")
            .field("trusted", &self.0.trusted)
            .field("header", &self.0.header)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for ClientInfoLayer {
    type Service = ClientInfoService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClientInfoService { inner, settings: self.0.clone() }
    }
}

/// The service that [`ClientInfoLayer`] makes.
#[derive(Clone)]
pub struct ClientInfoService<S> {
    inner: S,
    settings: Settings,
}

impl<S> ClientInfoService<S> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside, to be changed.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service inside, alone.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S: fmt::Debug> fmt::Debug for ClientInfoService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientInfoService").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for ClientInfoService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let record = RequestRecord::of_or_insert(request.extensions_mut());
        let client = self.settings.read(&record, request.headers(), request.extensions());
        hop_by_hop::remove_nominated(request.headers_mut());
        claims::remove(request.headers_mut(), client.is_some_and(|client| client.trusted_peer));
        record.with_layers(|summary, layers| {
            summary.client = client;
            summary.host = host(&request);
            layers.claims_removed = true;
        });
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests;
