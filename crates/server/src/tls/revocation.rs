//! Whether a certificate that is its own authority has been revoked (RFC 5280, section 6.3).

use std::time::SystemTime;

use gatewright_core::{CertificateFacts, RevocationListFacts};
use rustls::{
    CertificateError, Error,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer},
};
use webpki::{CertRevocationList, EndEntityCert, OwnedCertRevocationList};

/// What the lists of a listener say of such a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revocation {
    /// There are no lists.
    NotAsked,
    /// None of them is of its authority, which it is itself. Where there are lists, that is no good.
    Unknown,
    Revoked,
    /// It is not on its list, which counts until then.
    Good(SystemTime),
}

impl Revocation {
    pub(super) fn of(
        der: &CertificateDer<'_>,
        facts: &CertificateFacts,
        lists: &[CertificateRevocationListDer<'_>],
        provider: &CryptoProvider,
    ) -> Self {
        if lists.is_empty() {
            return Self::NotAsked;
        }
        let Ok(certificate) = EndEntityCert::try_from(der) else { return Self::Unknown };
        // Another authority's lists are for that one to sign, and it is not at hand here.
        if !facts.names_as_issuer(facts) || !facts.may_sign_lists() {
            return Self::Unknown;
        }
        let mut found = Self::Unknown;
        for list in lists {
            let Some(of_list) = RevocationListFacts::read(list).filter(|list| list.is_of(facts)) else {
                continue;
            };
            let Ok(read) = OwnedCertRevocationList::from_der(list) else { continue };
            if !is_signed_by(list, &certificate, provider) {
                continue;
            }
            let read = CertRevocationList::from(read);
            // A list for some of the certificates says nothing of the others.
            let (None, Some(until)) = (read.issuing_distribution_point(), of_list.next_update()) else {
                continue;
            };
            if is_in(&read, facts.serial()) {
                return Self::Revoked;
            }
            found = match found {
                Self::Good(other) => Self::Good(other.max(until)),
                _ => Self::Good(until),
            };
        }
        found
    }

    pub(super) fn check(self, now: SystemTime) -> Result<(), Error> {
        Err(match self {
            Self::NotAsked => return Ok(()),
            Self::Good(until) if now < until => return Ok(()),
            Self::Good(_) => CertificateError::ExpiredRevocationList,
            Self::Revoked => CertificateError::Revoked,
            Self::Unknown => CertificateError::UnknownRevocationStatus,
        }
        .into())
    }
}

/// A list may have left out the zero that shows that a number is positive. One that cannot be read to its end says that
/// all are in it.
fn is_in(list: &CertRevocationList<'_>, serial: &[u8]) -> bool {
    let stripped = serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(serial);
    [serial, stripped].into_iter().any(|serial| !matches!(list.find_serial(serial), Ok(None)))
}

fn is_signed_by(
    list: &CertificateRevocationListDer<'_>,
    issuer: &EndEntityCert<'_>,
    provider: &CryptoProvider,
) -> bool {
    let Some((message, algorithm, signature)) = RevocationListFacts::signed(list) else { return false };
    provider
        .signature_verification_algorithms
        .all
        .iter()
        .filter(|known| known.signature_alg_id().as_ref() == algorithm)
        .any(|known| issuer.verify_signature(*known, message, signature).is_ok())
}
