//! One key of a key set, with the algorithms that it may be used for.

use std::fmt;

use x509_cert::{
    der::{
        Decode, Reader, SliceReader,
        asn1::{ObjectIdentifier, UintRef},
    },
    spki::SubjectPublicKeyInfoRef,
};

use super::{KeyError, verifying_key::VerifyingKey};
use crate::jwt::{Algorithm, KeyKind};

/// A key. It verifies signatures of its own algorithms, and no other.
pub(crate) struct Key {
    kid: Option<Box<str>>,
    /// The position in its set, counted from 1.
    number: usize,
    /// The algorithm of the key where no list of allowed algorithms exists. `None` for a shared secret that does not name
    /// its algorithm: a list has to choose one.
    default: Option<Algorithm>,
    /// The algorithms that a list may choose from: one if the key names its algorithm or lies on a curve.
    family: Box<[Algorithm]>,
    material: VerifyingKey,
}

/// The algorithms that one shared secret can be used with.
const SECRET_FAMILY: [Algorithm; 3] = [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512];

/// The algorithms that one RSA key can be used with.
const RSA_FAMILY: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

/// The smallest and the largest RSA modulus, in bits (RFC 7518, section 3.3).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// `rsaEncryption` (RFC 8017, appendix A.1).
pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// Whether the issuer's settings list the allowed algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// The list contains the algorithm.
    Listed,
    /// There is no list.
    Unlisted,
}

impl Key {
    /// A key for one algorithm.
    fn for_one(algorithm: Algorithm, material: VerifyingKey) -> Self {
        Self::for_family(Some(algorithm), [algorithm].into(), material)
    }

    fn for_family(default: Option<Algorithm>, family: Box<[Algorithm]>, material: VerifyingKey) -> Self {
        Self { kid: None, number: 1, default, family, material }
    }

    pub(super) fn named(self, kid: Option<&str>) -> Self {
        Self { kid: kid.map(Into::into), ..self }
    }

    pub(super) fn numbered(self, number: usize) -> Self {
        Self { number, ..self }
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// A shared secret, at least as long as the hash (RFC 7518, section 3.2). Without an algorithm, it is for every hash
    /// that it is long enough for.
    pub(super) fn secret(algorithm: Option<Algorithm>, secret: &[u8]) -> Result<Self, KeyError> {
        check_secret(algorithm.unwrap_or(SECRET_FAMILY[0]), secret)?;
        let material = VerifyingKey::secret(secret);
        Ok(match algorithm {
            Some(algorithm) => Self::for_one(algorithm, material),
            None => {
                let family = SECRET_FAMILY.into_iter().filter(|it| check_secret(*it, secret).is_ok());
                Self::for_family(None, family.collect(), material)
            }
        })
    }

    /// An RSA key with this modulus and exponent, both unsigned and big-endian. Without an algorithm, it is for the
    /// whole family.
    pub(super) fn rsa(algorithm: Option<Algorithm>, n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        // Some issuers write a leading zero, although RFC 7518, section 6.3.1.1, forbids it.
        let n = &n[n.iter().take_while(|octet| **octet == 0).count()..];
        let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
        if !RSA_BITS.contains(&bits) {
            return Err(KeyError::new(format!("an RSA key needs 2048 to 8192 bits, but this key has {bits}")));
        }
        // The product of two large primes is odd.
        if n.last().is_none_or(|last| last % 2 == 0) {
            return Err(KeyError::new("the RSA key is not valid"));
        }
        if !is_exponent(e) {
            return Err(KeyError::new("the exponent of an RSA key must be odd, and between 3 and 2^33"));
        }
        if let Some(algorithm) = algorithm.filter(|algorithm| algorithm.key_kind() != KeyKind::Rsa) {
            return Err(unfit("an RSA key", algorithm));
        }
        let material = VerifyingKey::rsa(n, e).ok_or(KeyError::new("the RSA key is not valid"))?;
        Ok(match algorithm {
            Some(algorithm) => Self::for_one(algorithm, material),
            None => Self::for_family(Some(Algorithm::Rs256), RSA_FAMILY.into(), material),
        })
    }

    /// A point on the algorithm's curve. Its coordinates have full length (RFC 7518, section 6.2.1).
    pub(super) fn elliptic(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let KeyKind::Elliptic { coordinate, .. } = algorithm.key_kind() else {
            return Err(unfit("an elliptic curve key", algorithm));
        };
        if x.len() != coordinate || y.len() != coordinate {
            return Err(KeyError::new(
                "a coordinate does not have the length of its curve: write it with leading zeros up to that length",
            ));
        }
        let material = VerifyingKey::elliptic(algorithm, &[&[4], x, y].concat());
        material
            .map(|material| Self::for_one(algorithm, material))
            .ok_or(KeyError::new("its coordinates are no point on its curve"))
    }

    /// An Ed25519 key (RFC 8037, section 2).
    pub(super) fn edwards(algorithm: Algorithm, x: &[u8]) -> Result<Self, KeyError> {
        if algorithm.key_kind() != KeyKind::Ed25519 {
            return Err(unfit("an Ed25519 key", algorithm));
        }
        if x.len() != 32 {
            return Err(KeyError::new("an Ed25519 key has 32 bytes"));
        }
        let material = VerifyingKey::ed25519(x);
        material
            .map(|material| Self::for_one(algorithm, material))
            .ok_or(KeyError::new("the Ed25519 key is not valid"))
    }

    /// A public key in DER: a `SubjectPublicKeyInfo` (RFC 5280, section 4.1).
    pub(super) fn der(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let material = match algorithm.key_kind() {
            KeyKind::Secret { .. } => return Err(unfit("a public key", algorithm)),
            KeyKind::Rsa => {
                let [n, e] = rsa_numbers(der).ok_or_else(|| no_key_for(algorithm))?;
                return Self::rsa(Some(algorithm), n, e);
            }
            KeyKind::Elliptic { .. } => VerifyingKey::elliptic(algorithm, der),
            KeyKind::Ed25519 => VerifyingKey::ed25519(der),
        };
        material.map(|material| Self::for_one(algorithm, material)).ok_or_else(|| no_key_for(algorithm))
    }

    /// A public key in DER, for all algorithms of its type.
    pub(super) fn any_der(der: &[u8]) -> Result<Self, KeyError> {
        const OTHERS: [Algorithm; 4] = [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa];
        if let Some([n, e]) = rsa_numbers(der) {
            return Self::rsa(None, n, e);
        }
        let mut others = OTHERS.into_iter().map(|algorithm| Self::der(algorithm, der));
        others.find_map(Result::ok).ok_or(KeyError::new(
            "the public key is neither an RSA key nor a key on P-256, P-384, P-521 or Ed25519",
        ))
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithms that it can be used for at all.
    pub(super) fn family(&self) -> &[Algorithm] {
        &self.family
    }

    /// Whether it is for this algorithm. A list of allowed algorithms chooses among a key's family; without a list, a key
    /// is for its default alone.
    pub(super) fn is_for(&self, algorithm: Algorithm, allowed: Allowed) -> bool {
        match allowed {
            Allowed::Listed => self.family.contains(&algorithm),
            Allowed::Unlisted => self.default == Some(algorithm),
        }
    }

    /// Whether the signature is by this key, in this algorithm. A shared secret compares in constant time.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.family.contains(&algorithm) && self.material.verifies(algorithm, message, signature)
    }
}

fn check_secret(algorithm: Algorithm, secret: &[u8]) -> Result<(), KeyError> {
    let KeyKind::Secret { least } = algorithm.key_kind() else {
        return Err(KeyError::new(format!("a shared secret verifies HS256, HS384 or HS512, not {algorithm}")));
    };
    // Everyone knows the public key, and a token "signed" with it as a secret is the oldest forgery.
    if secret.trim_ascii_start().starts_with(b"-----BEGIN ") {
        return Err(KeyError::new("a key in PEM is no shared secret"));
    }
    if secret.len() < least {
        return Err(KeyError::new(format!("a secret for {algorithm} has at least {least} bytes")));
    }
    Ok(())
}

fn unfit(what: &str, algorithm: Algorithm) -> KeyError {
    KeyError::new(format!("{what} does not verify {algorithm}"))
}

fn no_key_for(algorithm: Algorithm) -> KeyError {
    KeyError::new(format!("the PEM text holds no public key for {algorithm}"))
}

/// Whether an exponent is safe. With 1, every message is its own signature, and aws-lc-rs would accept it.
fn is_exponent(e: &[u8]) -> bool {
    let value = e.iter().fold(0_u64, |value, octet| value << 8 | u64::from(*octet));
    (1..=5).contains(&e.len()) && value % 2 == 1 && (3..1 << 33).contains(&value)
}

/// The modulus and exponent of an RSA key (RFC 8017, appendix A.1.1).
fn rsa_numbers(der: &[u8]) -> Option<[&[u8]; 2]> {
    let info = SubjectPublicKeyInfoRef::from_der(der).ok().filter(|info| info.algorithm.oid == RSA)?;
    numbers(info.subject_public_key.as_bytes()?)
}

/// The modulus and exponent of a bare key, without the name of its algorithm.
pub(super) fn numbers(der: &[u8]) -> Option<[&[u8]; 2]> {
    let mut reader = SliceReader::new(der).ok()?;
    let numbers = reader.sequence(|reader| {
        Ok::<_, x509_cert::der::Error>([UintRef::decode(reader)?, UintRef::decode(reader)?])
    });
    reader.is_finished().then_some(numbers.ok()?.map(|number| number.as_bytes()))
}

/// Without the material, which may be a secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("kid", &self.kid).field("family", &self.family).finish_non_exhaustive()
    }
}
