//! What certificates and revocation lists say of themselves (RFC 5280). Nothing is verified here.

use std::time::{Duration, SystemTime};

use x509_cert::{
    certificate::{CertificateInner, Raw},
    der::{
        Decode, Encode, Header, Reader, SliceReader, Tag,
        asn1::{AnyRef, BitStringRef, ObjectIdentifier},
        oid::AssociatedOid,
    },
    ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage},
    name::Name,
    time::Time,
};

/// What a certificate says of itself.
#[derive(Debug, Clone)]
pub struct CertificateFacts {
    certificate: CertificateInner<Raw>,
}

/// What a certificate may be shown for (RFC 5280, section 4.2.1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificatePurpose {
    /// By a server.
    Server,
    /// By a client.
    Client,
}

/// `id-kp-serverAuth`, `id-kp-clientAuth` and `anyExtendedKeyUsage`.
const SERVER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
const ANY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// How long before its end a certificate is to be renewed.
const SOON: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// How long before its end a revocation list is to be renewed, unless a quarter of its life is shorter.
const LIST_SOON: Duration = Duration::from_secs(2 * 24 * 60 * 60);

impl CertificateFacts {
    /// Reads a certificate in DER; `None` when it is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        CertificateInner::from_der(der).ok().map(|certificate| Self { certificate })
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> SystemTime {
        at(self.certificate.tbs_certificate().validity().not_before)
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> SystemTime {
        at(self.certificate.tbs_certificate().validity().not_after)
    }

    /// What its dates have against it at this time, or will soon: in words that go on after "the certificate".
    pub fn doubt(&self, now: SystemTime) -> Option<String> {
        let date = httpdate::fmt_http_date;
        let (from, to) = (self.not_before(), self.not_after());
        if now > to {
            Some(format!("expired on {}: renew it", date(to)))
        } else if now < from {
            Some(format!("is not valid before {}: wait, or set the clock right", date(from)))
        } else if to.duration_since(now).is_ok_and(|left| left < SOON) {
            Some(format!("expires on {}: renew it before", date(to)))
        } else {
            None
        }
    }

    /// Whether it is an authority's.
    pub fn is_authority(&self) -> bool {
        self.extension::<BasicConstraints>().is_ok_and(|found| found.is_some_and(|constraints| constraints.ca))
    }

    /// Whether its key may sign a handshake: where it says what its key is for, that is among it.
    pub fn may_sign_handshakes(&self) -> bool {
        self.extension::<KeyUsage>().is_ok_and(|found| found.is_none_or(|usage| usage.digital_signature()))
    }

    /// Whether its key may sign revocation lists.
    pub fn may_sign_lists(&self) -> bool {
        self.extension::<KeyUsage>().is_ok_and(|found| found.is_none_or(|usage| usage.crl_sign()))
    }

    /// Whether it may be shown for this purpose: where it names any, that is among them.
    pub fn is_for(&self, purpose: CertificatePurpose) -> bool {
        let wanted = match purpose {
            CertificatePurpose::Server => SERVER,
            CertificatePurpose::Client => CLIENT,
        };
        self.extension::<ExtendedKeyUsage>().is_ok_and(|found| {
            found.is_none_or(|ExtendedKeyUsage(purposes)| {
                purposes.iter().any(|purpose| *purpose == wanted || *purpose == ANY)
            })
        })
    }

    /// Whether another certificate's holder is named as its issuer.
    pub fn names_as_issuer(&self, other: &Self) -> bool {
        same(self.certificate.tbs_certificate().issuer(), other.certificate.tbs_certificate().subject())
    }

    /// Its serial number, as DER has it.
    pub fn serial(&self) -> &[u8] {
        self.certificate.tbs_certificate().serial_number().as_bytes()
    }

    /// Its public key, a `SubjectPublicKeyInfo` in DER.
    pub fn public_key(&self) -> Option<Vec<u8>> {
        self.certificate.tbs_certificate().subject_public_key_info().to_der().ok()
    }

    /// Its subject, as RFC 4514 writes names.
    pub fn subject(&self) -> String {
        self.certificate.tbs_certificate().subject().to_string()
    }

    fn extension<'a, T: Decode<'a> + AssociatedOid>(&'a self) -> Result<Option<T>, T::Error> {
        Ok(self.certificate.tbs_certificate().get_extension::<T>()?.map(|(_, extension)| extension))
    }
}

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
                "is not valid before {}: wait, or set the clock right",
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

    /// The name of its issuer, as RFC 4514 writes names.
    pub fn issuer(&self) -> String {
        self.issuer.to_string()
    }
}

/// Goes into a sequence.
fn enter(reader: &mut SliceReader<'_>) -> Option<()> {
    let header = Header::decode(reader).ok()?;
    (header.tag() == Tag::Sequence && header.length() <= reader.remaining_len()).then_some(())
}

fn same(one: &Name, other: &Name) -> bool {
    matches!((one.to_der(), other.to_der()), (Ok(one), Ok(other)) if one == other)
}

fn at(time: Time) -> SystemTime {
    SystemTime::UNIX_EPOCH.checked_add(time.to_unix_duration()).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa,
        KeyIdMethod, KeyPair, SerialNumber, date_time_ymd,
    };

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn day(days: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * u32::try_from(days).expect("a day")
    }

    fn params() -> CertificateParams {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Days 19,723 and 20,089.
        (params.not_before, params.not_after) = (date_time_ymd(2024, 1, 1), date_time_ymd(2025, 1, 1));
        params
    }

    #[test]
    fn a_certificate_is_doubted_from_two_weeks_before_its_end_on() {
        let certificate = params().self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
        let facts = CertificateFacts::read(certificate.der()).expect("a certificate");
        assert!(facts.is_authority() && facts.may_sign_handshakes() && facts.names_as_issuer(&facts));
        for (now, expected) in [
            (day(19_722), "is not valid before Mon, 01 Jan 2024"),
            (day(19_723), ""),
            (day(20_075), ""),
            (day(20_076), "expires on Wed, 01 Jan 2025"),
            (day(20_089), "expires on Wed, 01 Jan 2025"),
            (day(20_090), "expired on Wed, 01 Jan 2025"),
        ] {
            let doubt = facts.doubt(now).unwrap_or_default();
            assert!(
                doubt.starts_with(expected) && doubt.is_empty() == expected.is_empty(),
                "{expected}: {doubt}"
            );
        }
    }

    #[test]
    fn a_revocation_list_is_doubted_from_two_days_before_its_end_on() {
        let issuer = CertifiedIssuer::self_signed(params(), KeyPair::generate().expect("a key")).expect("one");
        let list = |to: u8| {
            let params = CertificateRevocationListParams {
                this_update: date_time_ymd(2024, 1, 1),
                next_update: date_time_ymd(2024, 1, to),
                crl_number: SerialNumber::from(1_u64),
                issuing_distribution_point: None,
                revoked_certs: Vec::new(),
                key_identifier_method: KeyIdMethod::Sha256,
            };
            let list = params.signed_by(&issuer).expect("a list");
            assert!(RevocationListFacts::signed(list.der()).is_some());
            RevocationListFacts::read(list.der()).expect("a list")
        };
        let certificate = CertificateFacts::read(issuer.der()).expect("a certificate");
        let (month, week) = (list(31), list(5));
        assert!(month.is_of(&certificate));
        for (list, now, expected) in [
            (&month, day(19_722), "is not valid before"),
            (&month, day(19_750), ""),
            (&month, day(19_752), "ends on Wed, 31 Jan 2024"),
            (&month, day(19_754), "ended on"),
            (&week, day(19_725), ""),
            (&week, day(19_726) + DAY / 2, "ends on Fri, 05 Jan 2024"),
        ] {
            let doubt = list.doubt(now).unwrap_or_default();
            assert!(
                doubt.starts_with(expected) && doubt.is_empty() == expected.is_empty(),
                "{expected}: {doubt}"
            );
        }
    }

    #[test]
    fn what_is_cut_or_changed_is_no_reason_to_panic() {
        let certificate = params().self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
        let der = certificate.der();
        for index in 0..der.len() {
            let mut other = der.to_vec();
            other[index] ^= 0x55;
            for der in [&der[..index], &other] {
                let _ = CertificateFacts::read(der).map(|facts| facts.doubt(day(1)));
                let _ = RevocationListFacts::read(der);
                let _ = RevocationListFacts::signed(der);
            }
        }
    }
}
