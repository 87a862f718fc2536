//! What a listener knows of a connection.

use std::{
    any::Any,
    fmt,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};

/// What the listener knows of the connection on which a request came. One is made for each connection and shared
/// by its requests.
#[derive(Debug, Clone)]
pub struct ConnectionInfo {
    peer: SocketAddr,
    local: SocketAddr,
    listener: Arc<str>,
    tls: Option<TlsInfo>,
    peer_text: HeaderValue,
    interim: Option<Arc<dyn SendInterim>>,
    client_unknown: bool,
    cut: OnceLock<()>,
}

impl ConnectionInfo {
    /// A cleartext connection from `peer` (as PROXY protocol says it, where that is in use) to `local`.
    pub fn new(peer: SocketAddr, local: SocketAddr) -> Self {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Self {
            peer,
            local,
            listener: Arc::from(""),
            tls: None,
            peer_text: address_text(peer),
            interim: None,
            client_unknown: false,
            cut: OnceLock::new(),
        }
    }

    /// Names the listener that accepted it.
    #[must_use]
    pub fn with_listener(mut self, listener: Arc<str>) -> Self {
        self.listener = listener;
        self
    }

    /// Adds what the TLS handshake settled.
    #[must_use]
    pub fn with_tls(mut self, tls: TlsInfo) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Adds the way to send interim responses (1xx) on this connection.
    #[must_use]
    pub fn with_interim(mut self, interim: Arc<dyn SendInterim>) -> Self {
        self.interim = Some(interim);
        self
    }

    /// Says that the peer speaks for a client that it cannot name (PROXY protocol's `UNKNOWN`), so that it is not to be
    /// trusted on this connection.
    #[must_use]
    pub fn with_unknown_client(mut self) -> Self {
        self.client_unknown = true;
        self
    }

    /// Whether the peer speaks for a client that it cannot name.
    pub fn is_client_unknown(&self) -> bool {
        self.client_unknown
    }

    /// Notes that the server cuts the connection, with the requests that are under way on it: its time to drain is over, say.
    pub fn set_cut(&self) {
        // It is cut once.
        let _ = self.cut.set(());
    }

    /// Whether the server has cut the connection. What ends then was given up by the server, not by its client.
    pub fn is_cut(&self) -> bool {
        self.cut.get().is_some()
    }

    /// The address of the peer; IPv4 mapped into IPv6 is given as IPv4.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// The address that the peer connected to.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The listener's name.
    pub fn listener(&self) -> &Arc<str> {
        &self.listener
    }

    /// What the TLS handshake settled; `None` on a cleartext connection.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }

    /// The peer's IP address as a header value, formatted once a connection.
    pub fn peer_text(&self) -> &HeaderValue {
        &self.peer_text
    }

    /// The way to send interim responses (1xx) to the request in hand, where the connection has one.
    pub fn interim(&self) -> Option<InterimResponder> {
        self.interim.as_ref().map(InterimResponder::to_request_in_hand)
    }
}

fn address_text(address: SocketAddr) -> HeaderValue {
    let text = Bytes::from(address.ip().to_string());
    HeaderValue::from_maybe_shared(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// What a TLS handshake settled.
#[derive(Debug, Clone, Default)]
pub struct TlsInfo {
    server_name: Option<Arc<str>>,
    protocol: Option<Arc<[u8]>>,
    version: Option<&'static str>,
    certificates: Arc<[Bytes]>,
    derived: Arc<OnceLock<Box<dyn Any + Send + Sync>>>,
}

impl TlsInfo {
    /// Nothing known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the server name that the client asked for (SNI, RFC 6066), in lower case.
    #[must_use]
    pub fn with_server_name(mut self, name: &str) -> Self {
        self.server_name = Some(name.to_ascii_lowercase().into());
        self
    }

    /// Sets the protocol chosen by ALPN (RFC 7301).
    #[must_use]
    pub fn with_protocol(mut self, protocol: &[u8]) -> Self {
        self.protocol = Some(protocol.into());
        self
    }

    /// Sets the version, `TLSv1.3` say.
    #[must_use]
    pub fn with_version(mut self, version: &'static str) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets the client's verified certificate chain, leaf first, each in DER.
    #[must_use]
    pub fn with_certificates(mut self, chain: impl IntoIterator<Item = Bytes>) -> Self {
        self.certificates = chain.into_iter().collect();
        // What was derived of others holds no longer.
        self.derived = Arc::default();
        self
    }

    /// The server name that the client asked for.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// The protocol chosen by ALPN.
    pub fn protocol(&self) -> Option<&[u8]> {
        self.protocol.as_deref()
    }

    /// The TLS version.
    pub fn version(&self) -> Option<&'static str> {
        self.version
    }

    /// The client's verified certificate chain, leaf first, each in DER; empty without one.
    pub fn certificates(&self) -> &[Bytes] {
        &self.certificates
    }

    /// What a layer reads of the certificates, read once a connection by whoever asks first. There is one place for it:
    /// `None` when it holds another type already, and the reader has to do without.
    pub fn derived<T: Any + Send + Sync>(&self, read: impl FnOnce(&[Bytes]) -> T) -> Option<&T> {
        self.derived.get_or_init(|| Box::new(read(&self.certificates))).downcast_ref()
    }
}

/// Sends an interim response (1xx, RFC 9110, section 15.2) to one request.
///
/// It may outlive its request: interim responses that are sent after the final one are dropped.
#[derive(Clone)]
pub struct InterimResponder {
    sender: Arc<dyn SendInterim>,
    request: u64,
}

/// The way to send interim responses on one connection.
pub trait SendInterim: fmt::Debug + Send + Sync {
    /// The number of the request in hand. A connection gives no number twice.
    fn request(&self) -> u64;

    /// Sends an interim response to the request of this number, or drops it.
    fn send(&self, request: u64, status: StatusCode, headers: &HeaderMap);
}

/// A function that sends to one request alone.
struct SendByFunction<F>(F);

impl<F> fmt::Debug for SendByFunction<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendByFunction")
    }
}

impl<F: Fn(StatusCode, &HeaderMap) + Send + Sync> SendInterim for SendByFunction<F> {
    fn request(&self) -> u64 {
        0
    }

    fn send(&self, _: u64, status: StatusCode, headers: &HeaderMap) {
        (self.0)(status, headers);
    }
}

impl InterimResponder {
    /// Wraps a function that sends to one request.
    pub fn new(send: impl Fn(StatusCode, &HeaderMap) + Send + Sync + 'static) -> Self {
        Self { sender: Arc::new(SendByFunction(send)), request: 0 }
    }

    /// Sends to the request that is in hand now, on a connection that has several one after another.
    fn to_request_in_hand(sender: &Arc<dyn SendInterim>) -> Self {
        Self { request: sender.request(), sender: Arc::clone(sender) }
    }

    /// Sends one. It is a hint: where the connection cannot take it now, it is dropped.
    pub fn send(&self, status: StatusCode, headers: &HeaderMap) {
        self.sender.send(self.request, status, headers);
    }
}

impl fmt::Debug for InterimResponder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InterimResponder")
    }
}
