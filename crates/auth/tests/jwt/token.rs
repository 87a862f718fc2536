//! Tokens to show, good and bad.

use gatewright_auth::Algorithm;
use serde_json::{Value, json};

use crate::keys::{self, Signer, base64url};

/// The moment of all these tests, in seconds since 1970.
pub(crate) const NOW: u64 = 1_800_000_000;

/// A token that can be spoiled before it is signed.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

impl Token {
    /// One that is good in every way.
    pub(crate) fn good() -> Self {
        Self {
            header: json!({"alg": "RS256", "kid": "rsa", "typ": "JWT"}),
            claims: json!({
                "iss": "https://id.example/",
                "aud": "api",
                "sub": "u1",
                "exp": NOW + 60,
                "iat": NOW - 60,
                "nbf": NOW - 60,
                "scope": "orders:read orders:write",
                "tenant": "t1",
                "realm_access": {"roles": ["clerk", "admin"]},
                "groups": ["a", "b"],
            }),
        }
    }

    /// With another member in its header.
    pub(crate) fn header(mut self, name: &str, value: Value) -> Self {
        self.header[name] = value;
        self
    }

    /// Without a member in its header.
    pub(crate) fn no_header(mut self, name: &str) -> Self {
        self.header.as_object_mut().unwrap().remove(name);
        self
    }

    /// With another claim.
    pub(crate) fn claim(mut self, name: &str, value: Value) -> Self {
        self.claims[name] = value;
        self
    }

    /// Without a claim.
    pub(crate) fn no_claim(mut self, name: &str) -> Self {
        self.claims.as_object_mut().unwrap().remove(name);
        self
    }

    /// Signed as it says, by the issuer's RSA key.
    pub(crate) fn signed(&self) -> String {
        self.signed_by(keys::rsa(), Algorithm::Rs256)
    }

    pub(crate) fn signed_by(&self, signer: &Signer, algorithm: Algorithm) -> String {
        sign_text(&self.header.to_string(), &self.claims.to_string(), signer, algorithm)
    }

    /// Header and payload, each encoded.
    pub(crate) fn unsigned(&self) -> String {
        format!("{}.{}", base64url(self.header.to_string()), base64url(self.claims.to_string()))
    }
}

/// A token of exactly these texts.
pub(crate) fn sign_text(header: &str, claims: &str, signer: &Signer, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", base64url(header), base64url(claims));
    let signature = signer.sign(algorithm, message.as_bytes());
    format!("{message}.{}", base64url(signature))
}
