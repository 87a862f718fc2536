//! The revocation lists of a listener, and their verdict on a certificate that is named itself (RFC 5280, section 6.3).

use std::{cmp::Reverse, time::SystemTime};

use gatewright_core::{CertificateFacts, RevocationListFacts};
use rustls::{
    CertificateError, Error,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, CertificateRevocationListDer, SubjectPublicKeyInfoDer},
};
use webpki::{CertRevocationList, OwnedCertRevocationList, RawPublicKeyEntity};

/// The revocation lists, and the named authorities.
pub(super) struct Lists<'a> {
    authorities: Vec<CertificateFacts>,
    lists: Vec<List>,
    provider: &'a CryptoProvider,
}

struct List {
    der: CertificateRevocationListDer<'static>,
    facts: Option<RevocationListFacts>,
    file: String,
    /// The index of the authority that signed the list, if the authority is named.
    signer: Option<usize>,
}

impl<'a> Lists<'a> {
    pub(super) fn new(authorities: &[CertificateDer<'static>], provider: &'a CryptoProvider) -> Self {
        let authorities = authorities.iter().filter_map(|authority| CertificateFacts::read(authority));
        Self { authorities: authorities.collect(), lists: Vec::new(), provider }
    }

    pub(super) fn add(&mut self, der: CertificateRevocationListDer<'static>, file: &str) {
        let facts = RevocationListFacts::read(&der);
        let signer = facts.as_ref().and_then(|list| {
            self.authorities.iter().position(|facts| {
                list.is_of(facts) && facts.may_sign_lists() && is_signed_by(&der, facts, self.provider)
            })
        });
        self.lists.push(List { der, facts, file: file.to_owned(), signer });
        // rustls asks only the first list with the authority's name, so that list must be the newest one that the authority
        // itself has signed.
        self.lists.sort_by_key(|list| {
            let made = list.facts.as_ref().map(RevocationListFacts::this_update);
            Reverse((list.signer.is_some(), made))
        });
    }

    /// All lists. None may be left out, because without a list revoked clients would be let in.
    pub(super) fn in_order(&self) -> Vec<CertificateRevocationListDer<'static>> {
        self.lists.iter().map(|list| list.der.clone()).collect()
    }

    /// The newest list of each authority, with its name for messages.
    pub(super) fn that_count(&self) -> impl Iterator<Item = (String, RevocationListFacts)> {
        self.lists.iter().enumerate().filter_map(|(index, list)| {
            let facts = list.facts.as_ref()?;
            let is_older = self.lists[..index].iter().any(|newer| {
                let issuer = newer.facts.as_ref().map(RevocationListFacts::issuer);
                newer.signer == list.signer && issuer == Some(facts.issuer())
            });
            let issuer: String = facts.issuer().chars().take(100).flat_map(char::escape_debug).collect();
            (!is_older).then(|| (format!("the revocation list of `{issuer}` in {}", list.file), facts.clone()))
        })
    }

    /// If there are lists: the named authorities without a usable list.
    pub(super) fn gaps(&self) -> Vec<String> {
        let Some(first) = self.lists.first() else { return Vec::new() };
        let lacking = |index: usize, facts: &CertificateFacts| {
            let is_issuer = facts.is_authority() || facts.has_no_extensions();
            if !is_issuer || self.lists.iter().any(|list| list.signer == Some(index)) {
                return None;
            }
            let name = facts.shown_subject();
            let in_its_name = |list: &&List| list.facts.as_ref().is_some_and(|list| list.is_of(facts));
            let why = match self.lists.iter().find(in_its_name) {
                Some(list) if facts.may_sign_lists() => {
                    format!("the revocation list of `{name}` in {} is signed by another key", list.file)
                }
                Some(list) => {
                    format!(
                        "`{name}` may not sign the revocation list in {} (its key usage lacks cRLSign)",
                        list.file
                    )
                }
                None => format!("{} holds no revocation list of `{name}`", first.file),
            };
            Some(format!("{why}, so that no certificate that `{name}` issued is taken: add its own list"))
        };
        let authorities = self.authorities.iter().enumerate();
        authorities.filter_map(|(index, facts)| lacking(index, facts)).collect()
    }
}

/// The verdict of the lists on a certificate that is named itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Revocation {
    /// No list is of the certificate's issuer. The operator who named the certificate vouches for it.
    NotAsked,
    Revoked,
    /// The certificate is not on its issuer's list, which is valid until then.
    Good(SystemTime),
}

impl Revocation {
    /// The verdict on one certificate. Its issuer may be among the `named` certificates; a self-signed one is its own issuer.
    pub(super) fn of(
        der: &CertificateDer<'_>,
        facts: &CertificateFacts,
        named: &[CertificateDer<'_>],
        lists: &[CertificateRevocationListDer<'_>],
        provider: &CryptoProvider,
    ) -> Self {
        let is_own = facts.names_as_issuer(facts);
        let issuers: Vec<_> = named
            .iter()
            .filter(|other| !lists.is_empty() && (!is_own || *other == der))
            .filter_map(|other| CertificateFacts::read(other))
            .filter(|other| facts.names_as_issuer(other) && other.may_sign_lists())
            .collect();
        let mut found = Self::NotAsked;
        for list in lists {
            let Some(of_list) = RevocationListFacts::read(list).filter(|list| list.is_of_issuer_of(facts))
            else {
                continue;
            };
            let is_signed = issuers.iter().any(|issuer| is_signed_by(list, issuer, provider));
            // If the issuer's certificate is not at hand, its name must do: only the operator configures lists.
            if !is_signed && (is_own || !issuers.is_empty()) {
                continue;
            }
            let Ok(read) = OwnedCertRevocationList::from_der(list) else { continue };
            let read = CertRevocationList::from(read);
            if is_in(&read, facts.serial()) {
                return Self::Revoked;
            }
            // A list for part of the certificates says nothing about the others.
            let (None, Some(until)) = (read.issuing_distribution_point(), of_list.next_update()) else {
                continue;
            };
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
        }
        .into())
    }
}

/// Whether a list holds a serial number. A list may leave out the leading zero byte that marks a positive number. A list that
/// cannot be read to its end counts as holding every number.
fn is_in(list: &CertRevocationList<'_>, serial: &[u8]) -> bool {
    let stripped = serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(serial);
    [serial, stripped].into_iter().any(|serial| !matches!(list.find_serial(serial), Ok(None)))
}

fn is_signed_by(
    list: &CertificateRevocationListDer<'_>,
    issuer: &CertificateFacts,
    provider: &CryptoProvider,
) -> bool {
    let Some(key) = issuer.public_key().map(SubjectPublicKeyInfoDer::from) else { return false };
    let Ok(issuer) = RawPublicKeyEntity::try_from(&key) else { return false };
    let Some((message, algorithm, signature)) = RevocationListFacts::signed(list) else { return false };
    provider
        .signature_verification_algorithms
        .all
        .iter()
        .filter(|known| known.signature_alg_id().as_ref() == algorithm)
        .any(|known| issuer.verify_signature(*known, message, signature).is_ok())
}
