//! The checks of one issuer's tokens.

use std::sync::Arc;

use gatewright_core::Principal;
use serde_json::{Map, Value};

use super::{
    Algorithm,
    claims::{self, Lifetime},
    fault::Fault,
    token::{Token, media_type},
};
use crate::{
    ClaimPath, Identity, Jwks,
    claim_headers::ClaimHeaders,
    claim_path,
    jwks::{Allowed, Generation, NoKey},
};

/// An issuer: its name, its keys, and the requirements on its tokens.
#[derive(Debug, Clone)]
pub(super) struct Issuer {
    /// The required `iss`. `None` for any.
    pub(super) name: Option<Box<str>>,
    pub(super) keys: Jwks,
    /// `aud` must contain one of these. `None` for any audience.
    pub(super) audiences: Option<Vec<Box<str>>>,
    /// The allowed algorithms. `None` for those of the keys.
    pub(super) algorithms: Option<Arc<[Algorithm]>>,
    /// The allowed types. `None` for the types of access tokens, and tokens without a type.
    pub(super) types: Option<Vec<String>>,
    pub(super) leeway: u64,
    pub(super) max_age: Option<u64>,
    pub(super) required: Vec<Required>,
    pub(super) subject: ClaimPath,
    pub(super) scopes: Option<ClaimPath>,
    pub(super) headers: ClaimHeaders,
}

/// A required claim. With values, it must contain one of them.
#[derive(Debug, Clone)]
pub(super) struct Required {
    pub(super) path: ClaimPath,
    pub(super) values: Option<Vec<Box<str>>>,
}

/// A verified token.
#[derive(Debug, Clone)]
pub(super) struct Verified {
    pub(super) identity: Identity,
    pub(super) lifetime: Lifetime,
    pub(super) generation: Generation,
}

/// The types of access tokens (RFC 9068, section 2.1) and of plain tokens.
const TYPES: &[&str] = &["jwt", "at+jwt"];

impl Issuer {
    pub(super) fn new(name: Option<Box<str>>, keys: Jwks) -> Self {
        Self {
            name,
            keys,
            audiences: Some(Vec::new()),
            algorithms: None,
            types: None,
            leeway: 5,
            max_age: None,
            required: Vec::new(),
            subject: ClaimPath::new("sub"),
            scopes: None,
            headers: ClaimHeaders::default(),
        }
    }

    pub(super) fn verify(&self, token: Token<'_>, now: u64) -> Result<Verified, Fault> {
        let generation = self.check_signature(&token)?;
        self.check_type(token.header.typ.as_deref())?;
        let (identity, lifetime) = self.accept(token.claims, now)?;
        Ok(Verified { identity, lifetime, generation })
    }

    /// Returns the generation of the keys that verified the signature.
    fn check_signature(&self, token: &Token<'_>) -> Result<Generation, Fault> {
        let (kid, algorithm) = (token.header.kid.as_deref(), token.header.algorithm);
        let allowed = match &self.algorithms {
            Some(listed) if listed.contains(&algorithm) => Allowed::Listed,
            Some(_) => return Err(Fault::WrongAlgorithm),
            None => Allowed::Unlisted,
        };
        let (keys, generation) = self.keys.load().ok_or(Fault::KeysUnavailable)?;
        let mut candidates = keys.candidates(kid, algorithm, allowed).map_err(|none| match none {
            NoKey::WrongAlgorithm => Fault::WrongAlgorithm,
            NoKey::Unknown => Fault::UnknownKey,
        })?;
        if candidates.any(|key| key.verifies(algorithm, token.signed.as_bytes(), &token.signature)) {
            Ok(generation)
        } else if keys.names(kid) {
            Err(Fault::Signature)
        } else {
            // The token names no known key, so a newer set may have its key.
            Err(Fault::UnknownKey)
        }
    }

    fn check_type(&self, typ: Option<&str>) -> Result<(), Fault> {
        let allowed = match (&self.types, typ) {
            (None, None) => true,
            (None, Some(typ)) => TYPES.contains(&typ),
            (Some(_), None) => false,
            (Some(types), Some(typ)) => types.iter().any(|allowed| allowed == typ),
        };
        if allowed { Ok(()) } else { Err(Fault::Typ) }
    }

    fn accept(&self, claims: Map<String, Value>, now: u64) -> Result<(Identity, Lifetime), Fault> {
        let lifetime = Lifetime::of(&claims, now, self.leeway, self.max_age)?;
        if let Some(audiences) = &self.audiences {
            claims::check_audience(&claims, audiences)?;
        }
        self.required.iter().try_for_each(|required| required.check(&claims))?;
        let subject = self.subject.of_claims(&claims).and_then(Value::as_str).filter(|id| !id.is_empty());
        let subject = subject.ok_or(Fault::NoSubject)?.to_owned();
        let headers = self.headers.of(&claims).map_err(|_| Fault::UnfitForHeader)?;
        let principal =
            Principal::builder(subject, "jwt").scopes(self.scopes_of(&claims)).claims(claims).build();
        Ok((Identity::new(principal).headers(headers), lifetime))
    }

    /// The scopes: those of `scope` (RFC 8693, section 4.2) and of `scp`.
    fn scopes_of(&self, claims: &Map<String, Value>) -> Vec<String> {
        match &self.scopes {
            Some(path) => path.of_claims(claims).map(claim_path::words).unwrap_or_default(),
            None => ["scope", "scp"]
                .iter()
                .filter_map(|name| claims.get(*name))
                .flat_map(claim_path::words)
                .collect(),
        }
    }
}

impl Required {
    fn check(&self, claims: &Map<String, Value>) -> Result<(), Fault> {
        let value = self.path.of_claims(claims).ok_or(Fault::MissingClaim)?;
        let Some(values) = &self.values else { return Ok(()) };
        let held = claim_path::texts(value).any(|held| values.iter().any(|value| **value == *held));
        if held { Ok(()) } else { Err(Fault::WrongClaim) }
    }
}

/// Normalizes types for comparison.
pub(super) fn types<'a>(types: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    types.into_iter().map(media_type).collect()
}
