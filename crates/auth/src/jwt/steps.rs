//! The steps towards a [`Jwt`]: first the issuer, then the audience. The types make sure that neither is forgotten.

use super::{authenticator::Jwt, issuer::Issuer};
use crate::Jwks;

/// Keys whose issuer is not named yet.
#[derive(Debug, Clone)]
#[must_use = "name the issuer with `issuer`, or allow any with `any_issuer`"]
pub struct JwtWithoutIssuer(Jwks);

/// An issuer whose audience is not named yet.
#[derive(Debug, Clone)]
#[must_use = "name the audience with `audience`, or allow any with `any_audience`"]
pub struct JwtWithoutAudience(Issuer);

impl Jwt {
    /// Verifies tokens with these keys. The issuer and the audience follow:
    /// `Jwt::new(keys).issuer("https://id.example/").audience("orders")`.
    #[allow(clippy::new_ret_no_self, reason = "issuer and audience have to be checked")]
    pub fn new(keys: Jwks) -> JwtWithoutIssuer {
        JwtWithoutIssuer(keys)
    }
}

impl JwtWithoutIssuer {
    /// The issuer of the tokens: their `iss` must be exactly this text.
    pub fn issuer(self, name: impl Into<Box<str>>) -> JwtWithoutAudience {
        JwtWithoutAudience(Issuer::new(Some(name.into()), self.0))
    }

    /// Accepts tokens with any `iss`, and tokens without one. Use it only for keys that no other issuer has.
    pub fn any_issuer(self) -> JwtWithoutAudience {
        JwtWithoutAudience(Issuer::new(None, self.0))
    }
}

impl JwtWithoutAudience {
    /// The audience of the tokens: `aud` must be exactly this text, or a list with it.
    pub fn audience(self, audience: impl Into<Box<str>>) -> Jwt {
        self.audiences([audience])
    }

    /// The audiences of the tokens: `aud` must contain one of these texts.
    pub fn audiences<T: Into<Box<str>>>(self, audiences: impl IntoIterator<Item = T>) -> Jwt {
        let audiences = audiences.into_iter().map(Into::into).collect();
        Jwt::of(Issuer { audiences: Some(audiences), ..self.0 })
    }

    /// Accepts tokens for any audience. Another service that receives such a token could use it here in the name of
    /// its holder, so use it only for issuers whose tokens no other service receives.
    pub fn any_audience(self) -> Jwt {
        Jwt::of(Issuer { audiences: None, ..self.0 })
    }
}
