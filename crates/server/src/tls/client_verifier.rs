//! The verification of client certificates.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use gatewright_core::{CertificateFacts, CertificatePurpose};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime},
    server::danger::{ClientCertVerified, ClientCertVerifier},
};

use super::revocation::Revocation;

/// Verifies as rustls does, and also accepts a certificate that is named in `client_ca` itself, byte for byte. A named
/// certificate may claim to be an authority's (`CA:TRUE`), as a plain `openssl req -x509` makes it, and its issuer need not
/// be named.
///
/// A named certificate must be within its dates, its key must be usable for clients, and the revocation lists of its issuer
/// must not hold it. The handshake proves that the client has the key.
pub(super) struct Verifier {
    inner: Arc<dyn ClientCertVerifier>,
    named: Vec<Named>,
    hints: Vec<DistinguishedName>,
}

/// A client's certificate that is named in `client_ca` itself.
struct Named {
    der: CertificateDer<'static>,
    facts: CertificateFacts,
    revocation: Revocation,
}

impl Verifier {
    /// `inner` must have the same lists.
    pub(super) fn new(
        inner: Arc<dyn ClientCertVerifier>,
        named: Vec<CertificateDer<'static>>,
        lists: &[CertificateRevocationListDer<'static>],
        provider: &CryptoProvider,
    ) -> Self {
        let mut hints = inner.root_hint_subjects().to_vec();
        let named: Vec<_> = named
            .iter()
            .filter_map(|der| {
                let facts = CertificateFacts::read(der)?;
                let revocation = Revocation::of(der, &facts, &named, lists, provider);
                Some(Named { der: der.clone(), facts, revocation })
            })
            .collect();
        // Many clients show a certificate only if the server's hints name its issuer.
        for issuer in named.iter().filter_map(|named| named.facts.issuer_der()) {
            if !hints.iter().any(|hint| hint.as_ref() == issuer) {
                hints.push(issuer.into());
            }
        }
        Self { inner, named, hints }
    }
}

impl Named {
    fn verify(&self, now: UnixTime) -> Result<ClientCertVerified, Error> {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
        if now < self.facts.not_before() {
            return Err(CertificateError::NotValidYet.into());
        }
        if now > self.facts.not_after() {
            return Err(CertificateError::Expired.into());
        }
        if !self.facts.may_sign_handshakes() || !self.facts.is_for(CertificatePurpose::Client) {
            return Err(CertificateError::InvalidPurpose.into());
        }
        self.revocation.check(now)?;
        Ok(ClientCertVerified::assertion())
    }
}

impl ClientCertVerifier for Verifier {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.inner.verify_client_cert(end_entity, intermediates, now) {
            Err(error) if !matches!(error, Error::InvalidCertificate(CertificateError::Revoked)) => {
                let named = self.named.iter().find(|named| named.der == *end_entity);
                named.map_or(Err(error), |named| named.verify(now))
            }
            verified => verified,
        }
    }

    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Whether a certificate was refused because it is an authority's certificate.
pub(super) fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named: Vec<_> = self.named.iter().map(|named| named.facts.subject()).collect();
        f.debug_struct("Verifier").field("named", &named).finish_non_exhaustive()
    }
}
