//! Revocation lists.

use std::time::{Duration, SystemTime};

use x509_cert::{
    der::{
        Decode, Reader, SliceReader, Tag,
        asn1::{AnyRef, BitStringRef},
    },
    name::Name,
    time::Time,
};

use super::{CertificateFacts, at, enter, same};

/// How long before its end a revocation list is to be renewed, unless a quarter of its life is shorter.
const LIST_SOON: Duration = Duration::from_secs(2 * 24 * 60 * 60);

/// What a revocation list says of itself, save whom it revokes.
#[derive(Debug, Clone)]
pub struct RevocationListFacts {
    issuer: Name,
    this_update: SystemTime,
    next_update: Option<SystemTime>,
}

impl RevocationListFacts {
    /// Reads a list in DER; `None` when it is none. The certificates in it are passed over, however many there are.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut reader = SliceReader::new(der).ok()?;
        enter(&mut reader)?;
        enter(&mut reader)?;
        if Tag::peek(&reader).ok()? == Tag::Integer {
            AnyRef::decode(&mut reader).ok()?;
        }
        AnyRef::decode(&mut reader).ok()?;
        let issuer = Name::decode(&mut reader).ok()?;
        let this_update = at(Time::decode(&mut reader).ok()?);
        // It is optional, and what may follow instead is no time.
        let next_update = match Tag::peek(&reader) {
            Ok(Tag::UtcTime | Tag::GeneralizedTime) => Some(at(Time::decode(&mut reader).ok()?)),
            _ => None,
        };
        Some(Self { issuer, this_update, next_update })
    }

    /// What of a list in DER is signed, the algorithm of the signature (the contents of its `AlgorithmIdentifier`), and the
    /// signature. `None` when it is no list.
    pub fn signed(der: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
        let mut reader = SliceReader::new(der).ok()?;
        enter(&mut reader)?;
        let message = reader.tlv_bytes().ok()?;
        let algorithm = AnyRef::decode(&mut reader).ok()?;
        let signature = BitStringRef::decode(&mut reader).ok()?;
        reader.is_finished().then_some((message, algorithm.value(), signature.as_bytes()?))
    }

    /// When it was made.
    pub fn this_update(&self) -> SystemTime {
        self.this_update
    }

    /// When the next one is due; from then on this one counts no more.
    pub fn next_update(&self) -> Option<SystemTime> {
        self.next_update
    }

    /// What its dates have against it at this time, or will soon: in words that go on after "the revocation list".
    pub fn doubt(&self, now: SystemTime) -> Option<String> {
        let date = httpdate::fmt_http_date;
        if now < self.this_update {
            return Some(format!(
                "is dated in the future, {}, and counts already: set the clock right, here or where the list is made",
                date(self.this_update)
            ));
        }
        let end = self.next_update?;
        let life = end.duration_since(self.this_update).unwrap_or_default();
        match end.duration_since(now) {
            Ok(left) if !left.is_zero() && left < LIST_SOON.min(life / 4) => Some(format!(
                "ends on {}, and then no client of its authority is served: renew it before",
                date(end)
            )),
            Ok(left) if !left.is_zero() => None,
            _ => Some(format!("ended on {}, and no client of its authority is served: renew it", date(end))),
        }
    }

    /// Whether it is the list of this certificate's holder, by its name.
    pub fn is_of(&self, issuer: &CertificateFacts) -> bool {
        same(&self.issuer, issuer.certificate.tbs_certificate().subject())
    }

    /// Whether it is of the authority that issued this certificate, by its name.
    pub fn is_of_issuer_of(&self, certificate: &CertificateFacts) -> bool {
        same(&self.issuer, certificate.certificate.tbs_certificate().issuer())
    }

    /// The name of its issuer, as RFC 4514 writes names.
    pub fn issuer(&self) -> String {
        self.issuer.to_string()
    }
}
