//! Certificates.

use std::time::{Duration, SystemTime};

use x509_cert::{
    certificate::{CertificateInner, Raw, Version},
    der::{Decode, Encode, asn1::ObjectIdentifier, oid::AssociatedOid},
    ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName},
};

use super::{at, public_key, same};

/// What a certificate says of itself.
#[derive(Debug, Clone)]
pub struct CertificateFacts {
    pub(super) certificate: CertificateInner<Raw>,
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

    /// What its names have against a server that shows it: in words that go on after "the certificate". Clients look for a
    /// server's name in the `subjectAltName` alone (RFC 9525, section 2).
    pub fn name_doubt(&self) -> Option<String> {
        if !matches!(self.extension::<SubjectAltName>(), Ok(None)) {
            return None;
        }
        let name = self.common_name();
        let name = match name.as_deref() {
            Some(name) if name.parse::<std::net::IpAddr>().is_ok() => format!("IP:{name}"),
            Some(name) if is_host(name) => format!("DNS:{name}"),
            _ => "DNS:localhost".to_owned(),
        };
        Some(format!(
            "has no subjectAltName, and no client takes it: make it anew with `-addext subjectAltName={name}`"
        ))
    }

    /// What makes it useless in TLS, whatever it is used for: in words that go on after "the certificate".
    pub fn flaw(&self) -> Option<String> {
        let info = self.certificate.tbs_certificate().subject_public_key_info();
        public_key::flaw(info).map(|flaw| format!("has {flaw}"))
    }

    /// Why a certificate in DER cannot be used at all: in words that go on after "the certificate".
    pub fn why_unusable(der: &[u8]) -> String {
        match Self::read(der) {
            None => "is damaged: what stands between BEGIN and END is no certificate. Copy it anew".to_owned(),
            Some(facts) if facts.has_no_extensions() => {
                "is of X.509 version 1, without extensions: make it anew with `-addext subjectAltName=DNS:localhost`"
                    .to_owned()
            }
            Some(facts) => facts.flaw().unwrap_or_else(|| {
                "cannot be used: it breaks the rules of RFC 5280. Make it anew".to_owned()
            }),
        }
    }

    /// Whether it is of version 1, which has no extensions: authorities of old are.
    pub fn has_no_extensions(&self) -> bool {
        self.certificate.tbs_certificate().version() == Version::V1
    }

    /// The first name in its subject that names a host, a service, or a person (`CN`).
    pub fn common_name(&self) -> Option<String> {
        let subject = self.certificate.tbs_certificate().subject();
        subject.common_name().ok().flatten().map(|name| name.value().into_owned())
    }

    /// The name of its issuer, in DER.
    pub fn issuer_der(&self) -> Option<Vec<u8>> {
        self.certificate.tbs_certificate().issuer().to_der().ok()
    }

    /// The place, from 1, of the first certificate of a chain that is not followed by that of its issuer.
    pub fn disorder(chain: &[Self]) -> Option<usize> {
        chain.windows(2).position(|pair| !pair[0].names_as_issuer(&pair[1])).map(|index| index + 1)
    }

    /// Its subject for messages: shortened, and without control characters.
    pub fn shown_subject(&self) -> String {
        self.subject().chars().take(100).flat_map(char::escape_debug).collect()
    }

    /// Its subject, as RFC 4514 writes names.
    pub fn subject(&self) -> String {
        self.certificate.tbs_certificate().subject().to_string()
    }

    fn extension<'a, T: Decode<'a> + AssociatedOid>(&'a self) -> Result<Option<T>, T::Error> {
        Ok(self.certificate.tbs_certificate().get_extension::<T>()?.map(|(_, extension)| extension))
    }
}

fn is_host(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    name.strip_prefix("*.").unwrap_or(name).split('.').all(is_label)
}
