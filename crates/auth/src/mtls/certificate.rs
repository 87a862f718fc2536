//! A client's certificate, read once for each connection.

use std::{
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use x509_cert::{
    certificate::{CertificateInner, Raw},
    der::Decode,
    ext::pkix::{SubjectAltName, name::GeneralName},
};

use super::subject::Subject;
use crate::Identity;

/// A client's certificate. The listener has verified its chain.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) names: Vec<San>,
    pub(super) subject: Subject,
    /// In hexadecimal, in lower case.
    pub(super) serial: String,
    /// SHA-256 of its DER in hexadecimal, in lower case.
    pub(super) fingerprint: String,
    from: SystemTime,
    to: SystemTime,
    judgements: Mutex<Vec<(u64, Judgement)>>,
}

/// An alternative name. Other kinds are not used as identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum San {
    Dns(Box<str>),
    Email(Box<str>),
    Uri(Box<str>),
    /// An IP address in canonical text (RFC 5952).
    Ip(Box<str>),
}

/// The identity of the holder according to an authenticator, or the reason to refuse it.
pub(super) type Judgement = Result<Identity, &'static str>;

/// The number of results that a connection stores. More are only needed after many reloads during one connection.
const MOST_JUDGEMENTS: usize = 16;

impl Certificate {
    /// Reads a certificate in DER.
    pub(super) fn read(der: &Bytes) -> Option<Self> {
        let certificate = CertificateInner::<Raw>::from_der(der).ok()?;
        let certificate_body = certificate.tbs_certificate();
        let names = match certificate_body.get_extension::<SubjectAltName>().ok()? {
            Some((_, SubjectAltName(names))) => names.iter().filter_map(San::new).collect(),
            None => Vec::new(),
        };
        let validity = certificate_body.validity();
        Some(Self {
            names,
            subject: Subject::new(certificate_body.subject()),
            serial: serial(certificate_body.serial_number().as_bytes()),
            fingerprint: hex(digest(&SHA256, der).as_ref()),
            from: SystemTime::UNIX_EPOCH + validity.not_before.to_unix_duration(),
            to: SystemTime::UNIX_EPOCH + validity.not_after.to_unix_duration(),
            judgements: Mutex::default(),
        })
    }

    /// Whether it is valid at this time. A connection may outlive its certificate, and a resumed session is not
    /// verified again.
    pub(super) fn is_valid_at(&self, now: SystemTime) -> bool {
        (self.from..=self.to).contains(&now)
    }

    /// The result of the authenticator with this number. `judge` is called once for each connection.
    pub(super) fn judge(&self, authenticator: u64, judge: impl FnOnce(&Self) -> Judgement) -> Judgement {
        let mut judgements = self.judgements.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = judgements.iter().find(|(number, _)| *number == authenticator) {
            return known.clone();
        }
        let judgement = judge(self);
        if judgements.len() >= MOST_JUDGEMENTS {
            judgements.clear();
        }
        judgements.push((authenticator, judgement.clone()));
        judgement
    }
}

impl San {
    /// The name in the form of identities: case-insensitive parts are in lower case. `None` if the name has a
    /// quote, a backslash, or anything but visible ASCII: no URI, host or plain address has these.
    fn new(name: &GeneralName) -> Option<Self> {
        if let GeneralName::IpAddress(octets) = name {
            return address(octets.as_bytes())
                .map(|address| Self::Ip(address.to_canonical().to_string().into()));
        }
        let text = match name {
            GeneralName::DnsName(name) | GeneralName::Rfc822Name(name) => name.as_str(),
            GeneralName::UniformResourceIdentifier(name) => name.as_str(),
            _ => return None,
        };
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        if text.is_empty() || !text.bytes().all(plain) {
            return None;
        }
        Some(match name {
            GeneralName::DnsName(_) => Self::Dns(text.to_ascii_lowercase().into()),
            GeneralName::Rfc822Name(_) => {
                let (local, domain) = text.rsplit_once('@')?;
                Self::Email(format!("{local}@{}", domain.to_ascii_lowercase()).into())
            }
            _ => Self::Uri(folded(text).into()),
        })
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Dns(text) | Self::Email(text) | Self::Uri(text) | Self::Ip(text) => text,
        }
    }
}

/// Reads an address of four or sixteen octets.
fn address(octets: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    four.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

/// A URI with its scheme and host in lower case.
fn folded(uri: &str) -> String {
    let end = match uri.split_once("://") {
        Some((scheme, rest)) => scheme.len() + 3 + rest.find(['/', '?', '#']).unwrap_or(rest.len()),
        None => uri.find(':').unwrap_or(0),
    };
    let (fold, keep) = uri.split_at(end);
    format!("{}{keep}", fold.to_ascii_lowercase())
}

/// A serial number without the leading zero that marks it as positive.
fn serial(octets: &[u8]) -> String {
    hex(octets.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(octets))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, SerialNumber, date_time_ymd};

    use super::*;

    /// A certificate of these names, in DER.
    pub(in crate::mtls) fn der(subject: &[(DnType, &str)], names: Vec<SanType>, ends: i32) -> Bytes {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.subject_alt_names = names;
        params.serial_number = Some(SerialNumber::from(0x00ab_cdef_u64));
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(ends, 1, 1);
        let certificate = params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate");
        Bytes::copy_from_slice(certificate.der())
    }

    #[test]
    fn a_certificate_says_its_names_and_its_time() {
        let names = vec![
            SanType::URI("SPIFFE://Example.COM/Device/7".try_into().expect("ASCII")),
            SanType::DnsName("D7.Example.com".try_into().expect("ASCII")),
            SanType::IpAddress([192, 0, 2, 1].into()),
            SanType::Rfc822Name("Anna@Example.com".try_into().expect("ASCII")),
            SanType::DnsName("with\nbreak".try_into().expect("ASCII")),
        ];
        let subject = [
            (DnType::CountryName, "US"),
            (DnType::OrganizationName, "Söhne, \"Ex\""),
            (DnType::CommonName, "anna"),
        ];
        let der = der(&subject, names, 2027);
        let certificate = Certificate::read(&der).expect("is readable");
        let texts: Vec<_> = certificate.names.iter().map(San::text).collect();
        assert_eq!(texts, ["spiffe://example.com/Device/7", "d7.example.com", "192.0.2.1", "Anna@example.com"]);
        assert_eq!(certificate.subject.to_text(), "CN=anna,O=Söhne\\, \\\"Ex\\\",C=US");
        assert_eq!((certificate.serial.as_str(), certificate.fingerprint.len()), ("abcdef", 64));
        for (seconds, valid) in
            [(1_577_836_799, false), (1_577_836_800, true), (1_798_761_600, true), (1_798_761_601, false)]
        {
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            assert_eq!(certificate.is_valid_at(at), valid, "{seconds}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_none() {
        let good = der(&[(DnType::CommonName, "a")], Vec::new(), 2027);
        assert!(Certificate::read(&Bytes::new()).is_none());
        assert!(Certificate::read(&good.slice(..good.len() - 1)).is_none());
        // No octet that is changed makes it panic.
        for index in 0..good.len() {
            let mut other = good.to_vec();
            other[index] ^= 0x55;
            let _ = Certificate::read(&Bytes::from(other));
        }
    }
}
