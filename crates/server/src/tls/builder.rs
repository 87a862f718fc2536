//! Building a TLS configuration from PEM files.

use std::{path::Path, sync::Arc};

use arc_swap::ArcSwap;
use gatewright_core::{CertificateFacts, KeyFilePart};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, CertificateRevocationListDer},
    server::{ServerSessionMemoryCache, WebPkiClientVerifier, danger::ClientCertVerifier},
};

use super::{
    Current, TlsConfig,
    certificates::{Added, Certificates},
    client_verifier::Verifier,
    doubts::Doubts,
    error::TlsError,
    revocation::Lists,
    source::{Source, certified_key},
};

/// The number of stored sessions where clients show certificates. Otherwise clients keep their sessions as tickets.
const SESSIONS: usize = 4096;

/// Whether clients are asked for certificates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// Clients are not asked for certificates.
    #[default]
    Off,
    /// Clients are asked, and may show no certificate. A certificate that is shown must be valid.
    Optional,
    /// Clients are asked, and must show a valid certificate.
    Required,
}

/// Builds a [`TlsConfig`]. [`build`](Self::build) reads the files.
#[derive(Debug, Default)]
pub struct TlsConfigBuilder {
    certificates: Vec<(Source, Source)>,
    client_auth: ClientAuth,
    client_ca: Vec<Source>,
    crls: Vec<Source>,
}

impl TlsConfigBuilder {
    /// Adds a certificate chain, leaf first, and its key, both in PEM. The first one added is the default.
    #[must_use]
    pub fn certificate_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        let chain = Source::bytes("cert", chain, "the certificate's PEM");
        let key = Source::bytes("key", key, "the key's PEM");
        self.certificates.push((chain, key));
        self
    }

    /// Adds a certificate chain and its key from files.
    #[must_use]
    pub fn certificate_files(mut self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.certificates.push((Source::file("cert", chain), Source::file("key", key)));
        self
    }

    /// Sets whether clients are asked for certificates. `Off` by default.
    #[must_use]
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Adds authorities, in PEM, that may issue clients' certificates. A client's own certificate may be among them: that
    /// certificate is then accepted, whoever issued it, unless it has expired, is revoked or is not made for clients.
    #[must_use]
    pub fn client_ca_pem(mut self, authorities: impl Into<Vec<u8>>) -> Self {
        self.client_ca.push(Source::bytes("client_ca", authorities, "the client authorities' PEM"));
        self
    }

    /// Adds authorities from a file.
    #[must_use]
    pub fn client_ca_file(mut self, authorities: impl AsRef<Path>) -> Self {
        self.client_ca.push(Source::file("client_ca", authorities));
        self
    }

    /// Adds revocation lists, in PEM. Once there is a list, each authority in a client's chain needs a list that has not
    /// expired, or the client is refused. If an authority has several lists, the newest counts.
    #[must_use]
    pub fn crl_pem(mut self, lists: impl Into<Vec<u8>>) -> Self {
        self.crls.push(Source::bytes("crl", lists, "the revocation list's PEM"));
        self
    }

    /// Adds revocation lists from a file.
    #[must_use]
    pub fn crl_file(mut self, lists: impl AsRef<Path>) -> Self {
        self.crls.push(Source::file("crl", lists));
        self
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or has the wrong content, when a key is encrypted or does not belong to its certificate,
    /// when there is no certificate, when clients are asked for certificates and no authority is named, and when an
    /// authority is named and clients are not asked.
    pub fn build(self) -> Result<TlsConfig, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut certificates = Certificates::new(&provider);
        let mut doubts = Doubts::default();
        for (chain, key) in &self.certificates {
            let certified = certified_key(chain, key, &provider)?;
            doubts.certificates(&chain.label(), &certified.cert);
            if certificates.add(certified, &chain.label())? == Added::NeverServed {
                doubts.never_served(&chain.label());
            }
        }
        if self.certificates.is_empty() {
            return Err(TlsError::new("tls", "a TLS listener needs a certificate"));
        }
        let certificates = Arc::new(certificates);
        let verifier = self.client_verifier(&provider, &mut doubts)?;
        let wants_verifier = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new("tls", "the TLS library offers no version").because(error))?;
        let wants_certificate = match verifier {
            Some(verifier) => wants_verifier.with_client_cert_verifier(verifier),
            None => wants_verifier.with_no_client_auth(),
        };
        let mut config = wants_certificate.with_cert_resolver(Arc::clone(&certificates) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Tickets and sessions belong to this configuration, so no session of another client policy is resumed here.
        if self.client_auth == ClientAuth::Off {
            config.ticketer = aws_lc_rs::Ticketer::new()
                .map_err(|error| TlsError::new("tls", "no key for session tickets").because(error))?;
        } else {
            config.session_storage = ServerSessionMemoryCache::new(SESSIONS);
        }
        let strict_names = self.client_auth != ClientAuth::Off;
        let current = Current { config: Arc::new(config), certificates, strict_names, doubts };
        Ok(TlsConfig(Arc::new(ArcSwap::from_pointee(current))))
    }

    fn client_verifier(
        &self,
        provider: &Arc<CryptoProvider>,
        doubts: &mut Doubts,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        if self.client_auth == ClientAuth::Off {
            return if self.client_ca.is_empty() && self.crls.is_empty() {
                Ok(None)
            } else {
                Err(TlsError::new(
                    "client_ca",
                    "a client authority is named, but clients are not asked for certificates",
                ))
            };
        }
        let mut roots = RootCertStore::empty();
        let mut named = Vec::new();
        for source in &self.client_ca {
            let label = source.label();
            for authority in source.items::<CertificateDer<'static>>(KeyFilePart::Certificate)? {
                let unusable = |_| {
                    let why = CertificateFacts::why_unusable(&authority);
                    TlsError::new("client_ca", format!("a certificate in {label} {why}"))
                };
                roots.add(authority.clone()).map_err(unusable)?;
                doubts.authority(&label, &authority);
                named.push(authority);
            }
        }
        if roots.is_empty() {
            return Err(TlsError::new(
                "tls",
                "clients are asked for certificates, but no client authority is named",
            ));
        }
        let mut lists = Lists::new(&named, provider);
        for source in &self.crls {
            let read = source.items::<CertificateRevocationListDer<'static>>(KeyFilePart::RevocationList)?;
            read.into_iter().for_each(|list| lists.add(list, &source.label()));
        }
        doubts.lists(&lists);
        let lists = lists.in_order();
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .with_crls(lists.iter().cloned());
        if !lists.is_empty() {
            // By default rustls accepts a list for ever, also after its next update was due.
            builder = builder.enforce_revocation_expiration();
        }
        if self.client_auth == ClientAuth::Optional {
            builder = builder.allow_unauthenticated();
        }
        let verifier = builder
            .build()
            .map_err(|error| TlsError::new("crl", "the revocation list cannot be used").because(error))?;
        Ok(Some(Arc::new(Verifier::new(verifier, named, &lists, provider))))
    }
}
