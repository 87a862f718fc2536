//! The way to a [`Jwt`]: whose tokens, then for whom. Neither can be left out by mistake.

use super::{Jwt, issuer::Issuer};
use crate::Jwks;

/// Keys, of which it is yet to be said whose they are.
#[derive(Debug, Clone)]
#[must_use = "say whose tokens these keys verify"]
pub struct JwtWithoutIssuer(Jwks);

/// An issuer, of which it is yet to be said for whom its tokens are.
#[derive(Debug, Clone)]
#[must_use = "say for whom the tokens are"]
pub struct JwtWithoutAudience(Issuer);

impl JwtWithoutIssuer {
    pub(super) fn new(keys: Jwks) -> Self {
        Self(keys)
    }

    /// Whose tokens these are: their `iss` is this text, letter by letter.
    pub fn issuer(self, name: impl Into<Box<str>>) -> JwtWithoutAudience {
        JwtWithoutAudience(Issuer::new(Some(name.into()), self.0))
    }

    /// Takes tokens whatever their `iss`, and those without. For keys that no other has.
    pub fn any_issuer(self) -> JwtWithoutAudience {
        JwtWithoutAudience(Issuer::new(None, self.0))
    }
}

impl JwtWithoutAudience {
    /// For whom the tokens are: `aud` is this text, letter by letter, or a list with it.
    pub fn audience(self, audience: impl Into<Box<str>>) -> Jwt {
        self.audiences([audience])
    }

    /// For whom the tokens are: one of these is in their `aud`.
    pub fn audiences<T: Into<Box<str>>>(self, audiences: impl IntoIterator<Item = T>) -> Jwt {
        let audiences = audiences.into_iter().map(Into::into).collect();
        Jwt::of(Issuer { audiences: Some(audiences), ..self.0 })
    }

    /// Takes tokens for whomever they are. A service that gets one may then show it here and be taken for its holder:
    /// for issuers that make tokens for nobody else.
    pub fn any_audience(self) -> Jwt {
        Jwt::of(Issuer { audiences: None, ..self.0 })
    }
}
