//! Building client TLS from PEM.

use std::{fmt, sync::Arc};

use gatewright_core::{CertificateFacts, IdentityFault, KeyFile, KeyFilePart};
use rustls::{
    ClientConfig, InconsistentKeys, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::{ClientTls, verifier::Verifier};

/// Builds [`ClientTls`] from PEM texts.
#[derive(Debug, Clone, Default)]
pub struct ClientTlsBuilder {
    ca: Option<Pem>,
    identity: Option<(Pem, Pem)>,
    server_name: Option<String>,
}

/// A PEM text, and its name in messages.
#[derive(Clone)]
struct Pem {
    field: &'static str,
    text: Vec<u8>,
    label: String,
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text may hold a key.
        write!(f, "{} …", self.label)
    }
}

impl Pem {
    fn new(field: &'static str, text: Vec<u8>) -> Self {
        Self { field, text, label: format!("`{field}`") }
    }

    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, ClientTlsError> {
        let read =
            CertificateDer::pem_slice_iter(KeyFile::without_mark(&self.text)).collect::<Result<Vec<_>, _>>();
        match read {
            Ok(found) if !found.is_empty() && !KeyFile::has_joined_lines(&self.text) => Ok(found),
            _ => Err(self.without(KeyFilePart::Certificate)),
        }
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, ClientTlsError> {
        PrivateKeyDer::from_pem_slice(KeyFile::without_mark(&self.text))
            .map_err(|_| self.without(KeyFilePart::PrivateKey))
    }

    /// The reader's own error is left out, since it quotes the text, which may hold a key.
    fn without(&self, part: KeyFilePart) -> ClientTlsError {
        ClientTlsError::new(self.field, KeyFile::why_not(&self.text, part, &self.label))
    }
}

impl ClientTlsBuilder {
    /// Trusts only these authorities, given in PEM. An endpoint's own certificate may be among them. It is accepted then,
    /// whoever issued it, if its dates and its names are right.
    #[must_use]
    pub fn ca(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca = Some(Pem::new("ca", pem.into()));
        self
    }

    /// Shows this certificate chain, and proves it with this key. Both are in PEM.
    #[must_use]
    pub fn identity(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some((Pem::new("cert", certificates.into()), Pem::new("key", key.into())));
        self
    }

    /// Sets the name of a PEM text in messages, such as the name of its file. The field is `ca`, `cert` or `key`.
    #[must_use]
    pub fn label(mut self, field: &str, label: impl Into<String>) -> Self {
        let identity = self.identity.as_mut().map(|(chain, key)| [chain, key]);
        let texts = self.ca.iter_mut().chain(identity.into_iter().flatten());
        if let Some(text) = texts.into_iter().find(|text| text.field == field) {
            text.label = label.into();
        }
        self
    }

    /// Asks for this name, and demands it of the endpoint's certificate.
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
        let (mut certificates, mut fixed) = (Vec::new(), Vec::new());
        let builder = match &self.ca {
            Some(pem) => {
                let named = pem.certificates()?;
                let mut roots = RootCertStore::empty();
                for certificate in &named {
                    roots.add(certificate.clone()).map_err(|_| unusable(pem, certificate))?;
                }
                certificates.extend(facts(&named).into_iter().map(|facts| ("ca", facts)));
                let verifier = Verifier::new(named, roots, Arc::clone(&provider));
                let verifier = verifier.map_err(|error| ClientTlsError::new("ca", error))?;
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
            None => builder.with_root_certificates(system_roots()?),
        };
        let config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let certified = certified_key(chain, key, &provider)?;
                let facts = facts(&certified.cert);
                fixed.extend(IdentityFault::order_doubt(&facts, &chain.label).map(|doubt| ("cert", doubt)));
                certificates.extend(facts.into_iter().map(|facts| ("cert", facts)));
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
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
            certificates: certificates.into(),
            fixed: fixed.into(),
        })
    }
}

/// A chain and its key, after a check that they belong together.
fn certified_key(chain: &Pem, key: &Pem, provider: &CryptoProvider) -> Result<CertifiedKey, ClientTlsError> {
    let fault = |field, fault: IdentityFault| ClientTlsError::new(field, fault.told(&chain.label, &key.label));
    if IdentityFault::are_swapped(&chain.text, &key.text) {
        return Err(fault("cert", IdentityFault::Swapped));
    }
    let certificates = chain.certificates()?;
    let facts = facts(&certificates);
    let signer = provider
        .key_provider
        .load_private_key(key.private_key()?)
        .map_err(|_| ClientTlsError::new("key", IdentityFault::unusable_key(&facts, &key.label)))?;
    let certified = CertifiedKey::new(certificates, signer);
    match certified.keys_match() {
        // Without a public half, a key cannot be compared, and is accepted.
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(_)) => {
            let public = certified.key.public_key();
            let found = public.map_or(IdentityFault::Mismatch, |key| IdentityFault::of_key(&facts, &key));
            let field = if found == IdentityFault::Mismatch { "key" } else { "cert" };
            Err(fault(field, found))
        }
        Err(_) => Err(certified
            .cert
            .first()
            .map_or_else(|| chain.without(KeyFilePart::Certificate), |leaf| unusable(chain, leaf))),
    }
}

fn unusable(pem: &Pem, certificate: &CertificateDer<'_>) -> ClientTlsError {
    let why = CertificateFacts::why_unusable(certificate);
    ClientTlsError::new(pem.field, format!("a certificate in {} {why}", pem.label))
}

fn facts(chain: &[CertificateDer<'_>]) -> Vec<CertificateFacts> {
    chain.iter().filter_map(|certificate| CertificateFacts::read(certificate)).collect()
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
#[derive(Debug, thiserror::Error)]
#[error("{field}: {cause}")]
pub struct ClientTlsError {
    field: &'static str,
    cause: String,
}

impl ClientTlsError {
    fn new(field: &'static str, cause: impl fmt::Display) -> Self {
        Self { field, cause: cause.to_string() }
    }

    /// The field at fault: `ca`, `cert`, `key`, `server_name` or `tls`.
    pub fn field(&self) -> &'static str {
        self.field
    }
}
