//! TLS on a listener, by rustls.
//!
//! Invariants:
//!
//! 1. A handshake uses one configuration from its first byte to its last: `accept` loads the current one once.
//! 2. The host check of a connection belongs to the certificates of its handshake, also after a `replace`.
//! 3. Tickets and stored sessions belong to one configuration. No session crosses from one client policy to another.
//! 4. A client certificate is recorded only after the handshake has verified it.

mod builder;
mod certificates;
mod client_verifier;
mod doubts;
mod error;
mod failures;
mod revocation;
mod source;

use std::{fmt, io, path::Path, sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
use bytes::Bytes;
use gatewright_core::{ConnectionInfo, TlsInfo};
use rustls::{HandshakeKind, ProtocolVersion, ServerConfig};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub use builder::{ClientAuth, TlsConfigBuilder};
pub use error::TlsError;
pub(crate) use failures::{Failures, Kind};

use certificates::{Certificates, DEFAULT};
use doubts::Doubts;

use crate::{counts::Handshakes, host_check::HostCheck, transport::Socket};

/// The certificates of a listener, and its policy for client certificates. TLS 1.2 and 1.3; ALPN offers `h2` and
/// `http/1.1`.
///
/// Clones share one configuration. [`replace`](Self::replace) changes the configuration of new connections.
///
/// 1. The server name of the client (SNI) chooses the certificate by its DNS names: the exact name first, then a wildcard
///    that covers it, then the first certificate. If several certificates with keys of different kinds have one name, the
///    client gets a certificate that it can verify, with an elliptic curve before RSA.
/// 2. A request whose host belongs to another certificate than the connection is answered with 421 (RFC 9110, section
///    15.5.20). So the names of one certificate may share a connection, and no others. A host that no certificate names
///    belongs to the first certificate, and so do an IP address and a connection without a server name. If clients are
///    asked for certificates and the connection has a server name, the host must be that name.
/// 3. Sessions are resumed within one configuration only, so no session crosses from one client policy to another.
///
/// ```no_run
/// use gatewright_server::{ClientAuth, TlsConfig};
///
/// let plain = TlsConfig::from_pem_files("api.pem", "api.key")?;
///
/// let mutual = TlsConfig::builder()
///     .certificate_files("api.pem", "api.key")
///     .client_auth(ClientAuth::Required)
///     .client_ca_file("partners.pem")
///     .crl_file("partners.crl")
///     .build()?;
/// # let _ = (plain, mutual);
/// # Ok::<_, gatewright_server::TlsError>(())
/// ```
#[derive(Clone)]
pub struct TlsConfig(Arc<ArcSwap<Current>>);

/// The configuration of new connections.
struct Current {
    config: Arc<ServerConfig>,
    certificates: Arc<Certificates>,
    strict_names: bool,
    doubts: Doubts,
}

impl TlsConfig {
    /// One certificate chain, leaf first, and its key, both in PEM.
    ///
    /// # Errors
    ///
    /// When the texts hold no certificate or key, or the two do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Self::builder().certificate_pem(chain, key).build()
    }

    /// One certificate chain and its key, each in a PEM file.
    ///
    /// # Errors
    ///
    /// As for [`from_pem`](Self::from_pem), and when a file cannot be read. The error names the file.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::builder().certificate_files(chain, key).build()
    }

    /// Starts a configuration with several certificates or with client certificates.
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder::default()
    }

    /// The doubtful parts of the configuration, each in a sentence that names its file: certificates and revocation lists
    /// that have expired or will expire soon, certificates that no client will ever get or accept, a chain in the wrong
    /// order, and authorities without a revocation list where others have one. While clients connect, the log repeats the
    /// sentences about expiry once an hour.
    pub fn doubts(&self) -> Vec<String> {
        self.0.load().doubts.at(SystemTime::now())
    }

    /// Replaces the configuration of new connections. Open connections go on, and no earlier session is resumed.
    pub fn replace(&self, with: &Self) {
        self.0.store(with.0.load_full());
    }

    /// Performs the handshake.
    pub(crate) async fn accept(
        &self,
        socket: Socket,
        info: ConnectionInfo,
        handshakes: &Handshakes,
    ) -> io::Result<(TlsStream<Socket>, ConnectionInfo, Option<HostCheck>)> {
        // Loaded once, so that a `replace` during the handshake does not mix two configurations.
        let current = self.0.load_full();
        current.doubts.tell();
        let stream = TlsAcceptor::from(Arc::clone(&current.config)).accept(socket).await?;
        let session = stream.get_ref().1;
        let mut tls = TlsInfo::new();
        if let Some(name) = session.server_name() {
            tls = tls.with_server_name(name);
        }
        if let Some(protocol) = session.alpn_protocol() {
            tls = tls.with_protocol(protocol);
        }
        if let Some(version) = session.protocol_version() {
            tls = tls.with_version(match version {
                ProtocolVersion::TLSv1_2 => "TLSv1.2",
                _ => "TLSv1.3",
            });
        }
        handshakes.note(
            session.protocol_version() == Some(ProtocolVersion::TLSv1_2),
            session.handshake_kind() == Some(HandshakeKind::Resumed),
        );
        let chain = session.peer_certificates().unwrap_or_default();
        tls = tls.with_certificates(chain.iter().map(|certificate| Bytes::copy_from_slice(certificate)));
        let host_check = current.host_check(session.server_name());
        Ok((stream, info.with_tls(tls), host_check))
    }
}

impl Current {
    /// The check of rule 2; `None` if it can never fail.
    fn host_check(&self, server_name: Option<&str>) -> Option<HostCheck> {
        match server_name {
            Some(name) if self.strict_names => {
                let name: Box<str> = name.into();
                Some(Arc::new(move |authority| host_of(authority).eq_ignore_ascii_case(name.as_bytes())))
            }
            _ if self.certificates.is_single() => None,
            _ => {
                let own = server_name.map_or(DEFAULT, |name| self.certificates.choose(name.as_bytes()));
                let certificates = Arc::clone(&self.certificates);
                Some(Arc::new(move |authority| certificates.choose(host_of(authority)) == own))
            }
        }
    }
}

/// The host of an authority, without its port and without a final dot.
fn host_of(authority: &[u8]) -> &[u8] {
    let host = gatewright_http1::host::without_port(authority);
    host.strip_suffix(b".").unwrap_or(host)
}

impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.0.load();
        f.debug_struct("TlsConfig")
            .field("certificates", &current.certificates)
            .field("strict_names", &current.strict_names)
            .finish()
    }
}
