//! TLS on a listener, by rustls.

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
use rustls::{ProtocolVersion, ServerConfig};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub use builder::{ClientAuth, TlsConfigBuilder};
pub use error::TlsError;
pub(crate) use failures::{Failures, Kind};

use certificates::{Certificates, DEFAULT};
use doubts::Doubts;

use crate::{host_check::HostCheck, transport::Socket};

/// The certificates of a listener, and what it asks of clients. TLS 1.2 and 1.3, `h2` and `http/1.1` by ALPN.
///
/// Clones share one configuration, which [`replace`](Self::replace) renews for connections to come.
///
/// 1. The certificate is chosen by the server name that the client asks for (SNI), among the DNS names of all
///    certificates: the exact name first, then a wildcard that covers it, then the first certificate. Of several for one
///    name, with keys of different kinds, a client gets one that it can verify: on a curve before RSA.
/// 2. A request whose host belongs to another certificate than that of its connection is answered with 421 (RFC 9110,
///    section 15.5.20), so that a connection may be shared by the names of one certificate, and by no others. A host that
///    no certificate names, and an address, belong to the first certificate, as does a connection without a server
///    name. Where clients are asked for certificates and the connection has a server name, the host must be that name.
/// 3. Sessions are resumed within one configuration only, so that none crosses from one client policy to another.
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

/// What new connections are served by.
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
    /// The texts hold no certificate or key, or the two do not belong together.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Self::builder().certificate_pem(chain, key).build()
    }

    /// The same from files.
    ///
    /// # Errors
    ///
    /// A file cannot be read; else as [`from_pem`](Self::from_pem). The error names the file.
    pub fn from_pem_files(chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Result<Self, TlsError> {
        Self::builder().certificate_files(chain, key).build()
    }

    /// Several certificates, or certificates asked of clients.
    pub fn builder() -> TlsConfigBuilder {
        TlsConfigBuilder::default()
    }

    /// What may not be meant, or is wrong by now or will be within days, each in a sentence that names its file:
    /// certificates and revocation lists that have expired or will soon, certificates that no client will ever get or
    /// take, a chain in disorder, authorities without a revocation list where there are lists. The log is told again of what is near its end, once an hour while clients come.
    pub fn doubts(&self) -> Vec<String> {
        self.0.load().doubts.at(SystemTime::now())
    }

    /// Serves new connections by another configuration. Connections that are open go on, and no session of before
    /// is resumed.
    pub fn replace(&self, with: &Self) {
        self.0.store(with.0.load_full());
    }

    /// Does the handshake.
    pub(crate) async fn accept(
        &self,
        socket: Socket,
        info: ConnectionInfo,
    ) -> io::Result<(TlsStream<Socket>, ConnectionInfo, Option<HostCheck>)> {
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
        let chain = session.peer_certificates().unwrap_or_default();
        tls = tls.with_certificates(chain.iter().map(|certificate| Bytes::copy_from_slice(certificate)));
        let host_check = current.host_check(session.server_name());
        Ok((stream, info.with_tls(tls), host_check))
    }
}

impl Current {
    /// The check that rule 2 demands, when it can ever fail.
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

/// The host of an authority, without its port and the dot of the root.
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
