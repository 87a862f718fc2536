//! What certificates and revocation lists say of themselves (RFC 5280). Nothing is verified here.

mod certificate;
mod identity;
mod public_key;
mod revocation_list;

use std::time::SystemTime;

use x509_cert::{
    der::{Decode, Encode, Header, Reader, SliceReader, Tag},
    name::Name,
    time::Time,
};

pub use certificate::{CertificateFacts, CertificatePurpose};
pub use identity::IdentityFault;
pub use revocation_list::RevocationListFacts;

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

    use std::time::Duration;

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
            (&month, day(19_722), "is dated in the future"),
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
