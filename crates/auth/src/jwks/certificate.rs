//! The certificate of a key (`x5c`: RFC 7517, section 4.7).
//!
//! The certificate is not trusted: neither its dates nor its chain are checked. But its key must be the key that
//! the other members describe, as that section demands. Otherwise readers of the one and of the other would see
//! different keys.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Map, Value};
use x509_cert::{
    certificate::{CertificateInner, Raw},
    der::{Decode, asn1::ObjectIdentifier},
};

use super::{KeyError, key};

/// A public key, as the members of a JSON Web Key describe it.
pub(super) enum PublicKey<'a> {
    /// Modulus and exponent.
    Rsa(&'a [u8], &'a [u8]),
    /// An uncompressed point (SEC 1, section 2.3.3).
    Curve(&'a [u8]),
    Edwards(&'a [u8]),
}

/// `id-ecPublicKey` (RFC 5480, section 2.1.1).
const CURVE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// `id-Ed25519` (RFC 8410, section 3).
const EDWARDS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Checks that the first certificate, if there is one, belongs to the key.
pub(super) fn agrees(jwk: &Map<String, Value>, own: &PublicKey<'_>) -> Result<(), KeyError> {
    let first = match jwk.get("x5c") {
        None => return Ok(()),
        Some(Value::Array(chain)) => match chain.first() {
            None => return Ok(()),
            Some(first) => first,
        },
        Some(_) => return Err(KeyError::new("the `x5c` is no list of certificates")),
    };
    let no_certificate = || KeyError::new("the first item of `x5c` is no certificate");
    let text: String = first.as_str().ok_or_else(no_certificate)?.split_ascii_whitespace().collect();
    let der = STANDARD.decode(text).map_err(|_| no_certificate())?;
    let certificate = CertificateInner::<Raw>::from_der(&der).map_err(|_| no_certificate())?;
    let info = certificate.tbs_certificate().subject_public_key_info();
    let bits = info.subject_public_key.as_bytes().ok_or_else(no_certificate)?;
    let agrees = match own {
        PublicKey::Rsa(n, e) => {
            info.algorithm.oid == key::RSA
                && key::numbers(bits).is_some_and(|[own_n, own_e]| own_n == stripped(n) && own_e == stripped(e))
        }
        PublicKey::Curve(point) => info.algorithm.oid == CURVE && bits == *point,
        PublicKey::Edwards(key) => info.algorithm.oid == EDWARDS && bits == *key,
    };
    match agrees {
        true => Ok(()),
        false => Err(KeyError::new("the first certificate of `x5c` belongs to another key")),
    }
}

/// A number without its leading zeros.
fn stripped(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|octet| **octet == 0).count()..]
}
