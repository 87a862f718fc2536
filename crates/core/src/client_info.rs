//! Who the client is, after trusted hops.
//!
//! 1. The peer is who holds the other end of the connection. When it is no trusted proxy, it is the client.
//! 2. When it is one, the hops that it names are read from the right, and the first that is no trusted proxy is the
//!    client. What stands left of it was written by nobody we trust.
//! 3. A hop that cannot be read ends the walk at the hop before it, whose address is then not the client's own.
//! 4. One header is believed, not both: a proxy that writes only one would let the client's own other one through.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Extensions, HeaderMap, HeaderValue, Request, header};
use ipnet::IpNet;
use tower_layer::Layer;
use tower_service::Service;

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

/// A network in CIDR notation (`10.0.0.0/8`, `2001:db8::/32`), or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IpNetwork(IpNet);

impl IpNetwork {
    /// Whether it holds this address; IPv4 mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.0.network()
    }

    /// How many bits its addresses share from the left.
    pub fn prefix_len(&self) -> u8 {
        self.0.prefix_len()
    }
}

/// The text is neither a network in CIDR notation nor an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotANetwork(());

impl fmt::Display for NotANetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a network such as 10.0.0.0/8, or an IP address")
    }
}

impl std::error::Error for NotANetwork {}

impl FromStr for IpNetwork {
    type Err = NotANetwork;

    /// Reads what is written as RFC 4632, section 3.1, and RFC 4291, section 2.3, have it. Leading zeros are refused,
    /// since some read them as octal; bits beyond the prefix are dropped.
    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) =
            text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address = address.parse::<IpAddr>().map_err(|_| NotANetwork(()))?;
        let Some(prefix) = prefix else { return Ok(Self(IpNet::from(address.to_canonical()))) };
        let is_number = prefix.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number || (prefix.starts_with('0') && prefix != "0") {
            return Err(NotANetwork(()));
        }
        let length = prefix.parse().map_err(|_| NotANetwork(()))?;
        let network = IpNet::new(address, length).map_err(|_| NotANetwork(()))?;
        Ok(Self(canonical(network.trunc())))
    }
}

/// IPv4 mapped into IPv6, as networks of it are compared.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V6(network) => network.network().to_ipv4_mapped().zip(network.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    let folded = mapped.and_then(|(address, length)| IpNet::new(address.into(), length).ok());
    folded.unwrap_or(network)
}

impl fmt::Display for IpNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
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
                let hops = values_from_the_right(headers, "x-forwarded-for");
                (self.walk(peer.ip(), hops.map(hop)), last(headers, "x-forwarded-proto"))
            }
            ForwardedBy::Forwarded => {
                let hops = values_from_the_right(headers, "forwarded");
                let proto = values_from_the_right(headers, "forwarded")
                    .next()
                    .and_then(|element| parameter(element, "proto"));
                (self.walk(peer.ip(), hops.map(|element| parameter(element, "for").and_then(hop))), proto)
            }
        };
        let secure = secure.map_or(tls, |proto| proto.eq_ignore_ascii_case("https"));
        Some(ClientInfo { address, known, peer, trusted_peer, secure })
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

/// The host that the client asks for: an absolute target's authority, else the `Host` field.
fn host<B>(request: &Request<B>) -> Option<HeaderValue> {
    match request.uri().authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => request.headers().get(header::HOST).cloned(),
    }
}

/// The elements of a list header (RFC 9110, section 5.6.1), the last one first, over all its lines. Text that is
/// not visible ASCII is given as an empty element, so that the walk ends there.
fn values_from_the_right<'a>(headers: &'a HeaderMap, name: &'static str) -> impl Iterator<Item = &'a str> {
    // The values of one name come from the left only; there is nearly always one.
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    lines.into_iter().rev().flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(str::trim))
}

fn last<'a>(headers: &'a HeaderMap, name: &'static str) -> Option<&'a str> {
    values_from_the_right(headers, name).next()
}

/// The value of a parameter of one `Forwarded` element (RFC 7239, section 4).
fn parameter<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"'))
    })
}

/// One hop: an address, with a port or without, IPv6 in brackets or not.
fn hop(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address.ip().to_canonical());
    }
    let bracketed = text.strip_prefix('[')?.strip_suffix(']')?;
    bracketed.parse::<IpAddr>().ok().map(|address| address.to_canonical())
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
        record.with(|summary| {
            summary.client = client;
            summary.host = host(&request);
            summary.claims_removed = true;
        });
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(layer: &ClientInfoLayer, peer: &str, headers: &[(&'static str, &str)]) -> ClientInfo {
        let peer: SocketAddr = format!("{peer}:1000").parse().expect("an address");
        let record = RequestRecord::new(Some(Arc::new(ConnectionInfo::new(peer, peer))));
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a value"));
        }
        layer.0.read(&record, &map, &Extensions::new()).expect("the peer is known")
    }

    #[test]
    fn the_client_is_the_rightmost_untrusted_hop() {
        let layer = ClientInfoLayer::new().trust("10.0.0.0/8".parse().expect("a network"));
        let client = |peer, headers: &[_]| read(&layer, peer, headers).address().to_string();
        assert_eq!(client("192.0.2.1", &[("x-forwarded-for", "203.0.113.9")]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 203.0.113.9")]), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.1.1.1")]), "203.0.113.9");
        assert_eq!(
            client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.9:4711")]),
            "203.0.113.9"
        );
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "6.6.6.6, evil, 10.1.1.1")]), "10.1.1.1");
        assert_eq!(client("10.0.0.1", &[("x-forwarded-for", "[2001:db8::1]:80")]), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &[("forwarded", "for=6.6.6.6")]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_network_of_mapped_ipv4_is_one_of_ipv4() {
        let network: IpNetwork = "::ffff:10.1.2.3/104".parse().expect("a network");
        assert_eq!(network.to_string(), "10.0.0.0/8");
        assert!(network.contains("10.9.9.9".parse().expect("an address")));
        let all: IpNetwork = "::/0".parse().expect("a network");
        assert_eq!((all.address().to_string(), all.prefix_len()), ("::".to_owned(), 0));
    }

    #[test]
    fn a_network_is_read_in_one_way_or_not_at_all() {
        for (text, network) in [
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
            ("::ffff:192.0.2.1", "192.0.2.1/32"),
            ("2001:DB8::1/127", "2001:db8::/127"),
        ] {
            let read = text.parse::<IpNetwork>().map(|network| network.to_string());
            assert_eq!(read.as_deref(), Ok(network), "{text}");
        }
        for text in [
            "",
            "/",
            "/8",
            "10.0.0.0/",
            "10.0.0.0/33",
            "::/129",
            "010.0.0.0/8",
            "10.0.0.01",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.0/-0",
            "10.0.0.0/8 ",
            " 10.0.0.0/8",
            "10.0.0/8",
            "10/8",
            "0x0a.0.0.0/8",
            "10.0.0.0/8/8",
            "10.0.0.0/256",
            "10.0.0.0/255.0.0.0",
            "fe80::1%eth0",
            "[::1]",
            "::/00",
            "10.0.0.0-10.0.0.9",
            "*",
            "10.*",
        ] {
            assert!(text.parse::<IpNetwork>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_trusted_peer_cannot_vouch_for_a_client_that_it_does_not_know() {
        let layer = ClientInfoLayer::new().trust("10.0.0.0/8".parse().expect("a network"));
        let peer: SocketAddr = "10.0.0.1:1000".parse().expect("an address");
        let connection = ConnectionInfo::new(peer, peer).with_unknown_client();
        let record = RequestRecord::new(Some(Arc::new(connection)));
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_static("6.6.6.6"),
        )]);
        let client = layer.0.read(&record, &headers, &Extensions::new()).expect("the peer is known");
        assert!(!client.is_peer_trusted());
        assert_eq!(client.address(), peer.ip());
    }

    #[test]
    fn forwarded_is_read_when_it_is_the_one_believed() {
        let layer = ClientInfoLayer::new()
            .trust("::ffff:10.0.0.1".parse().expect("an address"))
            .forwarded_by(ForwardedBy::Forwarded);
        let headers = [
            ("forwarded", "for=6.6.6.6, for=\"[2001:db8::7]:4711\";proto=https"),
            ("x-forwarded-for", "6.6.6.6"),
        ];
        let client = read(&layer, "10.0.0.1", &headers);
        assert_eq!(client.address().to_string(), "2001:db8::7");
        assert!(client.is_secure() && client.is_peer_trusted());
    }
}
