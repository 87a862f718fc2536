//! The material of a key, and the call that verifies a signature with it.
//!
//! `jsonwebtoken` holds the keys and verifies the signatures, over aws-lc-rs. Its own reading and validation of tokens are
//! not used: [`Token`](crate::jwt) is read, and claims are checked, by stricter code in this crate. Three properties of
//! the library shape this file:
//!
//! 1. A `DecodingKey` is bytes that nobody has looked at. Each key is therefore parsed by aws-lc-rs once when it is read,
//!    and a bad key is an error of the key set, not a 401 for every token.
//! 2. The library's `crypto::verify` uses the provider of the process. That provider belongs to the program around this
//!    crate, may be installed once only, and panics where the build has no backend or two. The calls here name the
//!    library's aws-lc-rs provider instead. This crate neither reads nor installs a provider of the process.
//! 3. The library has no ES512. aws-lc-rs verifies that one directly.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use jsonwebtoken::{DecodingKey, crypto::aws_lc};

use crate::jwt::Algorithm;

/// A key that aws-lc-rs has parsed.
pub(super) enum VerifyingKey {
    Library(DecodingKey),
    /// A point on P-521, for ES512.
    P521(ParsedPublicKey),
}

impl VerifyingKey {
    /// A shared secret.
    pub(super) fn secret(secret: &[u8]) -> Self {
        Self::Library(DecodingKey::from_secret(secret))
    }

    /// An RSA key of modulus and exponent, both unsigned and big-endian. `None` if it is not valid.
    pub(super) fn rsa(n: &[u8], e: &[u8]) -> Option<Self> {
        RsaPublicKeyComponents { n, e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()?;
        Some(Self::Library(DecodingKey::from_rsa_raw_components(n, e)))
    }

    /// A point on the algorithm's curve, bare or as a `SubjectPublicKeyInfo`. `None` if it is not on that curve.
    pub(super) fn elliptic(algorithm: Algorithm, point: &[u8]) -> Option<Self> {
        let curve = match algorithm {
            Algorithm::Es256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::Es384 => &ECDSA_P384_SHA384_FIXED,
            Algorithm::Es512 => &ECDSA_P521_SHA512_FIXED,
            _ => return None,
        };
        let parsed = ParsedPublicKey::new(curve, point).ok()?;
        Some(match algorithm {
            Algorithm::Es512 => Self::P521(parsed),
            _ => Self::Library(DecodingKey::from_ec_der(point)),
        })
    }

    /// An Ed25519 key, bare or as a `SubjectPublicKeyInfo`. `None` if it is not one.
    pub(super) fn ed25519(key: &[u8]) -> Option<Self> {
        ParsedPublicKey::new(&ED25519, key).ok()?;
        Some(Self::Library(DecodingKey::from_ed_der(key)))
    }

    /// Whether the signature of the message is by this key, in this algorithm.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::P521(key) => algorithm == Algorithm::Es512 && key.verify_sig(message, signature).is_ok(),
            Self::Library(key) => of_library(algorithm)
                .and_then(|algorithm| (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&algorithm, key).ok())
                .is_some_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok()),
        }
    }
}

/// The library's name for the algorithm.
fn of_library(algorithm: Algorithm) -> Option<jsonwebtoken::Algorithm> {
    use jsonwebtoken::Algorithm as Library;
    Some(match algorithm {
        Algorithm::Hs256 => Library::HS256,
        Algorithm::Hs384 => Library::HS384,
        Algorithm::Hs512 => Library::HS512,
        Algorithm::Rs256 => Library::RS256,
        Algorithm::Rs384 => Library::RS384,
        Algorithm::Rs512 => Library::RS512,
        Algorithm::Ps256 => Library::PS256,
        Algorithm::Ps384 => Library::PS384,
        Algorithm::Ps512 => Library::PS512,
        Algorithm::Es256 => Library::ES256,
        Algorithm::Es384 => Library::ES384,
        Algorithm::Es512 => return None,
        Algorithm::EdDsa => Library::EdDSA,
    })
}
