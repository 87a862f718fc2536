//! TLS towards endpoints.

#[cfg(test)]
mod tests;
mod verifier;
mod words;

use std::{fmt, sync::Arc, time::SystemTime};

use gatewright_core::{CertificateFacts, Error, ErrorKind, KeyFile, KeyFilePart};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName,
        pem::{Error as PemError, PemObject},
    },
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{Protocol, Target};
use verifier::Verifier;
use words::words;

/// TLS towards an endpoint: whom to trust, which certificate to show, which name to ask for. TLS 1.2 and up.
#[derive(Clone)]
pub struct ClientTls {
    /// One for each set of protocols that may be offered, since the offer is part of the configuration.
    any: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
    /// Of `ca` and of `cert`.
    certificates: Arc<[(&'static str, CertificateFacts)]>,
}

impl ClientTls {
    /// What is wrong with certificates by now, or will be within days: the field, `ca` or `cert`, and a sentence.
    pub fn doubts(&self) -> Vec<(&'static str, String)> {
        let now = SystemTime::now();
        let doubt = |(field, facts): &(&'static str, CertificateFacts)| {
            let subject: String = facts.subject().chars().take(100).flat_map(char::escape_debug).collect();
            facts.doubt(now).map(|doubt| (*field, format!("the certificate of `{subject}` {doubt}")))
        };
        self.certificates.iter().filter_map(doubt).collect()
    }

    /// Trusts the system's authorities, shows no certificate, and asks for the target's host.
    pub fn builder() -> ClientTlsBuilder {
        ClientTlsBuilder { ca: None, identity: None, server_name: None }
    }

    pub(crate) async fn handshake(
        &self,
        target: &Target,
        protocol: Protocol,
        stream: TcpStream,
    ) -> Result<(TlsStream<TcpStream>, bool), Error> {
        let config = match protocol {
            Protocol::Auto => &self.any,
            Protocol::Http1 => &self.http1,
            Protocol::Http2 => &self.http2,
        };
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(target.host().to_owned())
                .map_err(|error| Error::new(ErrorKind::Tls, format!("{}: {error}", target.host())))?,
        };
        let stream = TlsConnector::from(Arc::clone(config))
            .connect(name, stream)
            .await
            .map_err(|error| Error::new(ErrorKind::Tls, format!("{target}: {}", words(&error))))?;
        let agreed = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        // An endpoint that knows no ALPN speaks HTTP/1, unless HTTP/2 is what was asked for.
        Ok((stream, agreed || protocol == Protocol::Http2))
    }
}

impl fmt::Debug for ClientTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTls").field("server_name", &self.server_name).finish_non_exhaustive()
    }
}

/// Builds [`ClientTls`] from PEM texts.
#[derive(Debug, Clone)]
pub struct ClientTlsBuilder {
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Secret)>,
    server_name: Option<String>,
}

#[derive(Clone)]
struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl ClientTlsBuilder {
    /// Trusts these authorities alone, given in PEM. An endpoint's own certificate may be among them: then that very one is
    /// taken, even if it says that it is an authority's, while its dates and its names are right.
    #[must_use]
    pub fn ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(pem.into());
        self
    }

    /// Shows this certificate chain, with this key, both in PEM.
    #[must_use]
    pub fn identity(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some((certificates.into(), Secret(key.into())));
        self
    }

    /// Asks for this name, and holds the endpoint's certificate to it.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// The TLS settings.
    ///
    /// # Errors
    ///
    /// When a PEM text holds no certificate or key, when certificate and key do not match, or when the server name
    /// is no DNS name or IP address.
    pub fn build(self) -> Result<ClientTls, ClientTlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientTlsError::new("tls", error))?;
        let mut facts = Vec::new();
        let mut note = |field: &'static str, chain: &[CertificateDer<'static>]| {
            let read = chain.iter().filter_map(|certificate| CertificateFacts::read(certificate));
            facts.extend(read.map(|certificate| (field, certificate)));
        };
        let builder = match &self.ca {
            Some(pem) => {
                let named = certificates(pem, "ca")?;
                note("ca", &named);
                let mut roots = RootCertStore::empty();
                for certificate in &named {
                    roots.add(certificate.clone()).map_err(|error| ClientTlsError::new("ca", error))?;
                }
                let verifier = Verifier::new(named, roots, provider);
                let verifier = verifier.map_err(|error| ClientTlsError::new("ca", error))?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
            None => builder.with_root_certificates(system_roots()?),
        };
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let chain = certificates(chain, "cert")?;
                note("cert", &chain);
                let key = private_key(&key.0)?;
                builder.with_client_auth_cert(chain, key).map_err(|error| match error {
                    rustls::Error::InconsistentKeys(_) => ClientTlsError::new(
                        "cert",
                        "`key` does not belong to this certificate, which has to be the first",
                    ),
                    error => ClientTlsError::new("cert", error),
                })?
            }
        };
        let server_name = match self.server_name {
            None => None,
            Some(name) => {
                Some(ServerName::try_from(name).map_err(|error| ClientTlsError::new("server_name", error))?)
            }
        };
        let offering = |protocols: &[&[u8]]| {
            let mut config = config.clone();
            config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
            Arc::new(config)
        };
        Ok(ClientTls {
            any: offering(&[b"h2", b"http/1.1"]),
            http1: offering(&[b"http/1.1"]),
            http2: offering(&[b"h2"]),
            server_name,
            certificates: facts.into(),
        })
    }
}

fn certificates(pem: &[u8], field: &'static str) -> Result<Vec<CertificateDer<'static>>, ClientTlsError> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(KeyFile::without_mark(pem))
        .collect::<Result<_, _>>()
        .map_err(|error| ClientTlsError::new(field, error))?;
    if found.is_empty() {
        return Err(ClientTlsError::holds_no(field, KeyFilePart::Certificate, pem));
    }
    Ok(found)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, ClientTlsError> {
    PrivateKeyDer::from_pem_slice(KeyFile::without_mark(pem)).map_err(|error| {
        if matches!(error, PemError::NoItemsFound) || KeyFile::of(pem).is_encrypted_key() {
            ClientTlsError::holds_no("key", KeyFilePart::PrivateKey, pem)
        } else {
            ClientTlsError::new("key", error)
        }
    })
}

fn system_roots() -> Result<RootCertStore, ClientTlsError> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        return Err(ClientTlsError::new("ca", "the system has no certificate authorities: name your own"));
    }
    Ok(roots)
}

/// TLS towards an endpoint cannot be set up.
#[derive(Debug)]
pub struct ClientTlsError {
    field: &'static str,
    cause: String,
}

impl ClientTlsError {
    fn new(field: &'static str, cause: impl fmt::Display) -> Self {
        Self { field, cause: cause.to_string() }
    }

    /// A text without the part that is wanted of it; what it holds instead is said, and what mends it.
    fn holds_no(field: &'static str, part: KeyFilePart, content: &[u8]) -> Self {
        let found = KeyFile::of(content);
        let command = found.remedy(part, "FILE").map(|command| format!(": {command}")).unwrap_or_default();
        Self::new(field, format!("the file holds no {part}, but {found}{command}"))
    }

    /// What is at fault: `ca`, `cert`, `key`, `server_name` or `tls`.
    pub fn field(&self) -> &'static str {
        self.field
    }
}

impl fmt::Display for ClientTlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.cause)
    }
}

impl std::error::Error for ClientTlsError {}
