//! A set of keys (RFC 7517, section 5).

use serde_json::{Map, Value};

use super::{
    KeyError,
    jwk::{self, Origin},
    key::Key,
};
use crate::{jwt::Algorithm, strict_json};

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeySet(Vec<Key>);

/// A set has no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// There is no key of this `kid`, or none without that could be meant. There may be one in a newer set.
    Unknown,
    /// There is one, and it is for another algorithm.
    WrongAlgorithm,
}

/// Keys in a set at most.
const MOST_KEYS: usize = 100;

/// Keys tried for one token at most.
const MOST_TRIED: usize = 8;

impl KeySet {
    pub(super) fn of(key: Key) -> Self {
        Self(vec![key])
    }

    /// Reads a set, or one key by itself. Keys that are no use are left out; a set with none that is, is refused.
    pub(crate) fn read(text: &[u8], origin: Origin) -> Result<Self, KeyError> {
        let set = strict_json::read(text).map_err(|error| KeyError::new(format!("no valid JSON: {error}")))?;
        let jwks: Vec<&Map<String, Value>> = match set.get("keys") {
            Some(Value::Array(keys)) => keys.iter().filter_map(Value::as_object).collect(),
            None if set.contains_key("kty") => vec![&set],
            _ => return Err(KeyError::new("no JSON Web Key Set: it has no list `keys`")),
        };
        if jwks.len() > MOST_KEYS {
            return Err(KeyError::new(format!("a set has {MOST_KEYS} keys at most")));
        }
        let mut keys = Vec::with_capacity(jwks.len());
        let mut last = None;
        for jwk in jwks {
            match jwk::read(jwk, origin) {
                Ok(Some(key)) => keys.push(key),
                Ok(None) => {}
                Err(error) => {
                    let kid = jwk.get("kid").and_then(Value::as_str).unwrap_or_default();
                    tracing::warn!(kid, "a key is left out: {error}");
                    last = Some(error);
                }
            }
        }
        if keys.is_empty() {
            return Err(last.unwrap_or(KeyError::new("there is no key in it that verifies signatures")));
        }
        Ok(Self(keys))
    }

    /// The keys that may have signed a token: those of its `kid`, else those that have none.
    pub(crate) fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<impl Iterator<Item = &Key>, NoKey> {
        let named = kid.filter(|kid| self.0.iter().any(|key| key.kid() == Some(kid)));
        let could_be = move |key: &&Key| match (named, kid) {
            (Some(named), _) => key.kid() == Some(named),
            (None, Some(_)) => key.kid().is_none(),
            (None, None) => true,
        };
        let fits = move |key: &&Key| could_be(key) && key.algorithm() == algorithm;
        if self.0.iter().any(|key| fits(&key)) {
            Ok(self.0.iter().filter(fits).take(MOST_TRIED))
        } else if named.is_some() || (kid.is_none() && !self.0.is_empty()) {
            Err(NoKey::WrongAlgorithm)
        } else {
            Err(NoKey::Unknown)
        }
    }

    /// Whether a token's `kid` says by which key it is signed.
    pub(crate) fn names(&self, kid: Option<&str>) -> bool {
        kid.is_some_and(|kid| self.0.iter().any(|key| key.kid() == Some(kid)))
    }

    #[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "what is fetched is told of"))]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}
