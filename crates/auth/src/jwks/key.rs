//! One key, made ready to verify.

use std::fmt;

use aws_lc_rs::{
    hmac,
    rsa::PublicEncryptingKey,
    signature::{ParsedPublicKey, RsaPublicKeyComponents},
};

use super::KeyError;
use crate::jwt::{Algorithm, Scheme};

/// A key, which verifies signatures of one algorithm and no other.
pub(crate) struct Key {
    kid: Option<Box<str>>,
    algorithm: Algorithm,
    material: Material,
}

enum Material {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
}

/// The smallest and the largest RSA modulus, in bits (RFC 7518, section 3.3).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

impl Key {
    fn new(algorithm: Algorithm, material: Material) -> Self {
        Self { kid: None, algorithm, material }
    }

    pub(super) fn named(self, kid: Option<&str>) -> Self {
        Self { kid: kid.map(Into::into), ..self }
    }

    /// A shared secret, at least as long as the hash (RFC 7518, section 3.2).
    pub(super) fn secret(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let Scheme::Secret(hash) = algorithm.scheme() else {
            return Err(KeyError::new(format!(
                "a shared secret verifies HS256, HS384 or HS512, not {algorithm}"
            )));
        };
        // A public key is known to all, and tokens "signed" with one are the oldest forgery there is.
        if secret.trim_ascii_start().starts_with(b"-----BEGIN ") {
            return Err(KeyError::new("a key in PEM is no shared secret"));
        }
        let least = hash.digest_algorithm().output_len();
        if secret.len() < least {
            return Err(KeyError::new(format!("a secret for {algorithm} has at least {least} bytes")));
        }
        Ok(Self::new(algorithm, Material::Secret(Box::new(hmac::Key::new(hash, secret)))))
    }

    /// An RSA key of modulus and exponent, both unsigned and big-endian.
    pub(super) fn rsa(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Self, KeyError> {
        let Scheme::Rsa(parameters) = algorithm.scheme() else { return Err(unfit("an RSA key", algorithm)) };
        let bits = n.len() * 8 - n.first().map_or(0, |first| first.leading_zeros() as usize);
        if !RSA_BITS.contains(&bits) {
            return Err(weak_rsa());
        }
        let parsed = RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters);
        parsed
            .map(|key| Self::new(algorithm, Material::Public(key)))
            .map_err(|_| KeyError::new("no valid RSA key"))
    }

    /// A point on the algorithm's curve, with coordinates of full length (RFC 7518, section 6.2.1).
    pub(super) fn elliptic(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let Scheme::Curve { algorithm: verification, coordinate, .. } = algorithm.scheme() else {
            return Err(unfit("an elliptic curve key", algorithm));
        };
        if x.len() != coordinate || y.len() != coordinate {
            return Err(KeyError::new("a coordinate has not the length of its curve"));
        }
        let point = [&[4], x, y].concat();
        let parsed = ParsedPublicKey::new(verification, point);
        parsed
            .map(|key| Self::new(algorithm, Material::Public(key)))
            .map_err(|_| KeyError::new("no point on its curve"))
    }

    /// A key on Ed25519 (RFC 8037, section 2).
    pub(super) fn edwards(algorithm: Algorithm, x: &[u8]) -> Result<Self, KeyError> {
        let Scheme::Edwards(verification) = algorithm.scheme() else {
            return Err(unfit("an Ed25519 key", algorithm));
        };
        if x.len() != 32 {
            return Err(KeyError::new("an Ed25519 key has 32 bytes"));
        }
        let parsed = ParsedPublicKey::new(verification, x);
        parsed
            .map(|key| Self::new(algorithm, Material::Public(key)))
            .map_err(|_| KeyError::new("no valid Ed25519 key"))
    }

    /// A public key in DER: a `SubjectPublicKeyInfo` (RFC 5280, section 4.1).
    pub(super) fn der(algorithm: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let parsed = match algorithm.scheme() {
            Scheme::Secret(_) => return Err(unfit("a public key", algorithm)),
            Scheme::Rsa(parameters) => {
                if PublicEncryptingKey::from_der(der).is_ok_and(|key| !RSA_BITS.contains(&key.key_size_bits()))
                {
                    return Err(weak_rsa());
                }
                ParsedPublicKey::new(parameters, der)
            }
            Scheme::Curve { algorithm, .. } => ParsedPublicKey::new(algorithm, der),
            Scheme::Edwards(verification) => ParsedPublicKey::new(verification, der),
        };
        parsed
            .map(|key| Self::new(algorithm, Material::Public(key)))
            .map_err(|_| KeyError::new(format!("the PEM text holds no public key for {algorithm}")))
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the signature is by this key. A shared secret compares in constant time.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Public(key) => key.verify_sig(message, signature).is_ok(),
            Material::Secret(key) => hmac::verify(key, message, signature).is_ok(),
        }
    }
}

fn unfit(what: &str, algorithm: Algorithm) -> KeyError {
    KeyError::new(format!("{what} does not verify {algorithm}"))
}

fn weak_rsa() -> KeyError {
    KeyError::new("an RSA key has 2048 to 8192 bits")
}

/// Not its material: that may be a secret.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
