//! Verifies the certificate of an endpoint, where authorities are named.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use gatewright_core::{CertificateFacts, CertificatePurpose};
use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        VerifierBuilderError, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

/// Verifies as rustls does, and also accepts a certificate that is named itself, byte for byte. The certificate may say that
/// it is an authority's (`CA:TRUE`), as `openssl req -x509` writes it, or an authority may have issued it that is not named.
///
/// The dates of the certificate, its names and the uses of its key are checked. The handshake proves that the endpoint has
/// the key.
#[derive(Debug)]
pub(super) struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    named: Vec<CertificateDer<'static>>,
}

impl Verifier {
    pub(super) fn new(
        named: Vec<CertificateDer<'static>>,
        roots: RootCertStore,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, VerifierBuilderError> {
        let inner = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
        Ok(Self { inner, named })
    }

    fn verify_named(
        &self,
        shown: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        verify_server_name(&ParsedCertificate::try_from(shown)?, name)?;
        let facts = CertificateFacts::read(shown).ok_or(CertificateError::BadEncoding)?;
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
        if now < facts.not_before() {
            Err(CertificateError::NotValidYet.into())
        } else if now > facts.not_after() {
            Err(CertificateError::Expired.into())
        } else if !facts.may_sign_handshakes() || !facts.is_for(CertificatePurpose::Server) {
            Err(CertificateError::InvalidPurpose.into())
        } else {
            Ok(ServerCertVerified::assertion())
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(_) if self.named.iter().any(|named| named == end_entity) => {
                self.verify_named(end_entity, server_name, now)
            }
            verified => verified,
        }
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

/// Whether a certificate was refused because it is an authority's.
pub(super) fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}
