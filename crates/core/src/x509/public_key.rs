//! Which keys TLS takes.

use x509_cert::{
    der::{
        Reader, SliceReader,
        asn1::{ObjectIdentifier, UintRef},
    },
    spki::SubjectPublicKeyInfoOwned,
};

use super::enter;

/// `rsaEncryption` and `id-RSASSA-PSS` (RFC 4055).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
/// `id-ecPublicKey` (RFC 5480), and curves.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
const SECP256K1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.10");
/// `id-Ed25519` and `id-Ed448` (RFC 8410).
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ED448: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.113");
/// `id-dsa` (RFC 3279).
const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");

/// How many bits a key of RSA may have.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// What keeps TLS from taking a key, as a noun, and what mends it.
pub(super) fn flaw(info: &SubjectPublicKeyInfoOwned) -> Option<String> {
    let kind = match info.algorithm.oid {
        ED25519 => return None,
        RSA => match info.subject_public_key.as_bytes().and_then(bits) {
            Some(bits) if !RSA_BITS.contains(&bits) => format!("an RSA key of {bits} bits"),
            _ => return None,
        },
        EC => {
            let curve = info.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>();
            match curve {
                Ok(P256 | P384 | P521) => return None,
                Ok(SECP256K1) => "a key on the curve secp256k1".to_owned(),
                Ok(other) => format!("a key on the curve {other}"),
                Err(_) => "a key that spells its curve out instead of naming it".to_owned(),
            }
        }
        RSA_PSS => "a key for RSA-PSS alone".to_owned(),
        ED448 => "a key of Ed448".to_owned(),
        DSA => "a key of DSA".to_owned(),
        other => format!("a key of an unknown kind ({other})"),
    };
    Some(format!(
        "{kind}, which TLS does not take here: make one with `-newkey ec -pkeyopt ec_paramgen_curve:P-256`, or `-newkey rsa:2048`"
    ))
}

/// How many bits the modulus of a key of RSA has (RFC 8017, appendix A.1.1).
fn bits(key: &[u8]) -> Option<usize> {
    let mut reader = SliceReader::new(key).ok()?;
    enter(&mut reader)?;
    let modulus: UintRef<'_> = reader.decode().ok()?;
    let bytes = modulus.as_bytes();
    let first = bytes.first()?;
    Some(bytes.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use crate::CertificateFacts;

    #[test]
    fn keys_that_tls_does_not_take_are_told_by_their_kind() {
        let flaw = |der: &[u8]| CertificateFacts::read(der).expect("a certificate").flaw().unwrap_or_default();
        for (der, expected) in [
            (
                &include_bytes!("testdata/secp256k1.der")[..],
                "has a key on the curve secp256k1, which TLS does not take here",
            ),
            (include_bytes!("testdata/ed448.der"), "has a key of Ed448"),
            (include_bytes!("testdata/rsa1024.der"), "has an RSA key of 1024 bits"),
            (include_bytes!("testdata/rsa-pss.der"), "has a key for RSA-PSS alone"),
            (include_bytes!("testdata/good.der"), ""),
        ] {
            let flaw = flaw(der);
            assert!(flaw.starts_with(expected) && flaw.is_empty() == expected.is_empty(), "{expected}: {flaw}");
        }
    }
}
