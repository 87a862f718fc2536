//! Building a TLS configuration from PEM.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;
use gatewright_core::{KeyFile, KeyFilePart};
use rustls::{
    InconsistentKeys, RootCertStore, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, CertificateRevocationListDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject},
    },
    server::{ServerSessionMemoryCache, WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};

use super::{
    Current, TlsConfig,
    certificates::{Added, Certificates},
    client_verifier::Verifier,
    doubts::Doubts,
    error::TlsError,
};

/// Sessions that may be resumed where clients show certificates. Elsewhere clients keep them, as tickets.
const SESSIONS: usize = 4096;

/// Whether clients are asked for certificates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientAuth {
    /// They are not.
    #[default]
    Off,
    /// They are, and may show none. One that is shown must be valid.
    Optional,
    /// They are, and must show a valid one.
    Required,
}

/// Gathers what a [`TlsConfig`] is made of. Files are read by [`build`](Self::build).
#[derive(Debug, Default)]
pub struct TlsConfigBuilder {
    certificates: Vec<(Source, Source)>,
    client_auth: ClientAuth,
    client_ca: Vec<Source>,
    crls: Vec<Source>,
}

/// Where PEM comes from.
enum Source {
    Bytes(Vec<u8>, &'static str),
    File(PathBuf),
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The bytes may be those of a key.
        f.write_str(&self.label())
    }
}

impl Source {
    fn file(path: impl AsRef<Path>) -> Self {
        Self::File(path.as_ref().to_owned())
    }

    fn label(&self) -> Cow<'_, str> {
        match self {
            Self::Bytes(_, what) => Cow::Borrowed(what),
            Self::File(path) => path.to_string_lossy(),
        }
    }

    fn read(&self) -> Result<Cow<'_, [u8]>, TlsError> {
        match self {
            Self::Bytes(bytes, _) => Ok(Cow::Borrowed(bytes)),
            Self::File(path) => {
                std::fs::read(path).map(Cow::Owned).map_err(|error| TlsError::unreadable(&self.label(), error))
            }
        }
    }

    /// All items of one kind, at least one.
    fn items<T: PemObject>(&self, part: KeyFilePart) -> Result<Vec<T>, TlsError> {
        let pem = self.read()?;
        let items: Result<Vec<T>, _> = T::pem_slice_iter(KeyFile::without_mark(&pem)).collect();
        let items = items.map_err(|error| TlsError::not_pem(&self.label(), error))?;
        if items.is_empty() { Err(TlsError::holds_no(&self.label(), part, &pem)) } else { Ok(items) }
    }

    fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let pem = self.read()?;
        match PrivateKeyDer::from_pem_slice(KeyFile::without_mark(&pem)) {
            Ok(key) => Ok(key),
            // The old format encrypts under the ordinary label, with header lines that are no base64.
            Err(error) if !matches!(error, PemError::NoItemsFound) && !KeyFile::of(&pem).is_encrypted_key() => {
                Err(TlsError::not_pem(&self.label(), error))
            }
            Err(_) => Err(TlsError::holds_no(&self.label(), KeyFilePart::PrivateKey, &pem)),
        }
    }

    fn found(&self) -> Option<KeyFile> {
        self.read().ok().map(|content| KeyFile::of(&content))
    }
}

impl TlsConfigBuilder {
    /// Adds a certificate chain, leaf first, and its key, both in PEM. The first one added is the default.
    #[must_use]
    pub fn certificate_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        let chain = Source::Bytes(chain.into(), "the certificate's PEM");
        let key = Source::Bytes(key.into(), "the key's PEM");
        self.certificates.push((chain, key));
        self
    }

    /// Adds the same from files.
    #[must_use]
    pub fn certificate_files(mut self, chain: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        self.certificates.push((Source::file(chain), Source::file(key)));
        self
    }

    /// Sets whether clients are asked for certificates. `Off` by default.
    #[must_use]
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Adds authorities, in PEM, that clients' certificates may come from. A client's own certificate may be among them:
    /// then that very one is taken, even if it says that it is an authority's, unless it is expired, revoked or not made
    /// for clients.
    #[must_use]
    pub fn client_ca_pem(mut self, authorities: impl Into<Vec<u8>>) -> Self {
        self.client_ca.push(Source::Bytes(authorities.into(), "the client authorities' PEM"));
        self
    }

    /// Adds the same from a file.
    #[must_use]
    pub fn client_ca_file(mut self, authorities: impl AsRef<Path>) -> Self {
        self.client_ca.push(Source::file(authorities));
        self
    }

    /// Adds revocation lists, in PEM. Once there is one, each authority of a client's chain needs one that has not
    /// expired, or the client is refused.
    #[must_use]
    pub fn crl_pem(mut self, lists: impl Into<Vec<u8>>) -> Self {
        self.crls.push(Source::Bytes(lists.into(), "the revocation list's PEM"));
        self
    }

    /// Adds the same from a file.
    #[must_use]
    pub fn crl_file(mut self, lists: impl AsRef<Path>) -> Self {
        self.crls.push(Source::file(lists));
        self
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or does not hold what it should; a key is encrypted, or is not that of its
    /// certificate; there is no certificate; clients are asked for certificates and no authority is named, or the
    /// other way round.
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
            return Err(TlsError::client_policy("a TLS listener needs a certificate", None));
        }
        let certificates = Arc::new(certificates);
        let verifier = self.client_verifier(&provider, &mut doubts)?;
        let wants_verifier = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| {
                TlsError::client_policy("the TLS library offers no version", Some(error.into()))
            })?;
        let wants_certificate = match verifier {
            Some(verifier) => wants_verifier.with_client_cert_verifier(verifier),
            None => wants_verifier.with_no_client_auth(),
        };
        let mut config = wants_certificate.with_cert_resolver(Arc::clone(&certificates) as _);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        // Either is this configuration's own, so that no session of another client policy is resumed here.
        if self.client_auth == ClientAuth::Off {
            config.ticketer = aws_lc_rs::Ticketer::new()
                .map_err(|error| TlsError::client_policy("no key for session tickets", Some(error.into())))?;
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
                Err(TlsError::client_policy(
                    "a client authority is named, but clients are not asked for certificates",
                    None,
                ))
            };
        }
        let mut roots = RootCertStore::empty();
        let mut named = Vec::new();
        for source in &self.client_ca {
            for authority in source.items::<CertificateDer<'static>>(KeyFilePart::Certificate)? {
                roots.add(authority.clone()).map_err(|error| TlsError::certificate(&source.label(), error))?;
                named.push(authority);
            }
        }
        if roots.is_empty() {
            return Err(TlsError::client_policy(
                "clients are asked for certificates, but no client authority is named",
                None,
            ));
        }
        let mut crls = Vec::new();
        for source in &self.crls {
            let lists = source.items::<CertificateRevocationListDer<'static>>(KeyFilePart::RevocationList)?;
            doubts.lists(&source.label(), &lists);
            crls.extend(lists);
        }
        let has_crls = !crls.is_empty();
        let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .with_crls(crls.iter().cloned());
        if has_crls {
            // rustls would go on to use a list for ever after its next update was due.
            builder = builder.enforce_revocation_expiration();
        }
        if self.client_auth == ClientAuth::Optional {
            builder = builder.allow_unauthenticated();
        }
        let verifier = builder.build().map_err(|error| {
            TlsError::client_policy("the revocation list cannot be used", Some(error.into()))
        })?;
        Ok(Some(Arc::new(Verifier::new(verifier, named, &crls, provider))))
    }
}

fn certified_key(chain: &Source, key: &Source, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    if chain.found().is_some_and(KeyFile::is_private_key) && key.found().is_some_and(KeyFile::is_certificate) {
        return Err(TlsError::swapped(&chain.label(), &key.label()));
    }
    let certificates = chain.items::<CertificateDer<'static>>(KeyFilePart::Certificate)?;
    let signer = provider
        .key_provider
        .load_private_key(key.private_key()?)
        .map_err(|error| TlsError::key(&key.label(), error))?;
    let certified = CertifiedKey::new(certificates, signer);
    match certified.keys_match() {
        Ok(()) => Ok(certified),
        Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
            let is_own = |certificate: &CertificateDer<'static>| {
                CertifiedKey::new(vec![certificate.clone()], Arc::clone(&certified.key)).keys_match().is_ok()
            };
            Err(match certified.cert.iter().position(is_own) {
                Some(index) => TlsError::disordered(&chain.label(), &key.label(), index + 1),
                None => TlsError::mismatch(&chain.label(), &key.label()),
            })
        }
        // A key whose public half cannot be had is taken on trust.
        Err(rustls::Error::InconsistentKeys(_)) => Ok(certified),
        Err(error) => Err(TlsError::certificate(&chain.label(), error)),
    }
}
