//! A set of keys (RFC 7517, section 5).

use serde_json::{Map, Value};

use super::{
    KeyError,
    jwk::{self, Jwk, Origin},
    key::{Allowed, Key},
    wrong_format,
};
use crate::{jwt::Algorithm, strict_json};

/// The keys of one issuer.
#[derive(Debug)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
    doubts: Vec<String>,
}

/// Why a set has no key for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoKey {
    /// No key has this `kid`, and no key without a `kid` fits. A newer set may have the key.
    Unknown,
    /// A key fits, but it is for another algorithm.
    WrongAlgorithm,
}

/// The number of keys in a set at most.
const MOST_KEYS: usize = 100;

/// The number of keys that are tried for one token at most.
const MOST_TRIED: usize = 8;

impl KeySet {
    pub(super) fn of(key: Key) -> Self {
        Self { keys: vec![key], doubts: Vec::new() }
    }

    /// Reads a set, or a single key. Keys that are of no use are left out. A set without any useful key is refused.
    pub(crate) fn read(text: &[u8], origin: Origin) -> Result<Self, KeyError> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let set = strict_json::read(text).map_err(|error| wrong_format::of_text(text, &error))?;
        let jwks: Vec<(usize, &Map<String, Value>)> = match set.get("keys") {
            Some(Value::Array(keys)) => {
                let keys = keys.iter().enumerate();
                keys.filter_map(|(index, key)| Some((index + 1, key.as_object()?))).collect()
            }
            None if set.contains_key("kty") => vec![(1, &set)],
            _ => return Err(wrong_format::of_object(&set)),
        };
        if jwks.len() > MOST_KEYS {
            return Err(KeyError::new(format!("a key set may have at most {MOST_KEYS} keys")));
        }
        let mut keys = Vec::with_capacity(jwks.len());
        let mut doubts = Vec::new();
        let mut last = None;
        for (number, jwk) in jwks {
            let name = || name(jwk.get("kid").and_then(Value::as_str), number);
            if let Some(members) = jwk::private_members(jwk) {
                doubts.push(format!(
                    "{} contains its private half (`d`), which can make tokens: take {members} out",
                    name()
                ));
            }
            if let Some(why) = jwk::other_use(jwk) {
                last.get_or_insert(format!("{} is not for verifying signatures: {why}", name()));
                continue;
            }
            match jwk::read(jwk, origin) {
                Ok(Jwk::Key(key)) => keys.push(key.numbered(number)),
                Ok(Jwk::Other(why)) => {
                    last.get_or_insert(format!("{} is not for verifying signatures: {why}", name()));
                }
                Err(error) => {
                    doubts.push(format!("{} is left out: {error}", name()));
                    last = Some(format!("{}: {error}", name()));
                }
            }
        }
        if keys.is_empty() {
            let none = || "there is no key in it: its list `keys` is empty".to_owned();
            return Err(KeyError::new(last.unwrap_or_else(none)));
        }
        Ok(Self { keys, doubts })
    }

    /// What is suspicious: keys that are left out, and private keys.
    pub(crate) fn doubts(&self) -> &[String] {
        &self.doubts
    }

    /// Logs the doubts.
    pub(crate) fn log_doubts(&self, from: &str) {
        self.doubts.iter().for_each(|doubt| tracing::warn!(from, "{doubt}"));
    }

    /// The listed algorithms that some key verifies. If nothing is listed, all algorithms that some key verifies.
    pub(crate) fn algorithms(&self, listed: Option<&[Algorithm]>) -> Vec<Algorithm> {
        let (of, allowed) = scope(listed);
        let is_for = |algorithm: &&Algorithm| self.keys.iter().any(|key| key.is_for(**algorithm, allowed));
        of.iter().filter(is_for).copied().collect()
    }

    /// A sentence for each key that verifies no token, because it fits none of these algorithms.
    pub(crate) fn idle(&self, listed: Option<&[Algorithm]>) -> Vec<String> {
        let (of, allowed) = scope(listed);
        let is_idle = |key: &&Key| !of.iter().any(|algorithm| key.is_for(*algorithm, allowed));
        let tell = |key: &Key| {
            let (name, own) = (name(key.kid(), key.number()), names(key.family()));
            match listed {
                Some(_) => {
                    format!(
                        "{name} is for {own}, which is not among the allowed algorithms, and verifies no token"
                    )
                }
                None => format!(
                    "{name} has no `alg`, and verifies no token: list which of {own} it is for under `algorithms`"
                ),
            }
        };
        self.keys.iter().filter(is_idle).map(tell).collect()
    }

    /// Why no token can be verified with these algorithms. `None` if there is a key for one of them.
    pub(crate) fn misfit(&self, listed: &[Algorithm]) -> Option<String> {
        self.algorithms(Some(listed)).is_empty().then(|| {
            let own = names(&self.algorithms(Some(&Algorithm::ALL)));
            format!("verifies {}: there are keys for {own}", names(listed))
        })
    }

    /// The keys that may have signed a token: those with its `kid`, or else those without any.
    pub(crate) fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
        allowed: Allowed,
    ) -> Result<impl Iterator<Item = &Key>, NoKey> {
        let named = kid.filter(|kid| self.names(Some(kid)));
        let could_be = move |key: &&Key| match (named, kid) {
            (Some(named), _) => key.kid() == Some(named),
            (None, Some(_)) => key.kid().is_none(),
            (None, None) => true,
        };
        let fits = move |key: &&Key| could_be(key) && key.is_for(algorithm, allowed);
        if self.keys.iter().any(|key| fits(&key)) {
            Ok(self.keys.iter().filter(fits).take(MOST_TRIED))
        } else if named.is_some() || (kid.is_none() && !self.keys.is_empty()) {
            Err(NoKey::WrongAlgorithm)
        } else {
            Err(NoKey::Unknown)
        }
    }

    /// Whether a token's `kid` names one of the keys.
    pub(crate) fn names(&self, kid: Option<&str>) -> bool {
        kid.is_some_and(|kid| self.keys.iter().any(|key| key.kid() == Some(kid)))
    }

    #[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "only fetched sets are counted"))]
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }
}

/// The algorithms to consider, and whether a list names them.
fn scope(listed: Option<&[Algorithm]>) -> (&[Algorithm], Allowed) {
    match listed {
        Some(listed) => (listed, Allowed::Listed),
        None => (&Algorithm::ALL, Allowed::Unlisted),
    }
}

fn names(algorithms: &[Algorithm]) -> String {
    algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>().join(", ")
}

/// The name of a key in messages: its `kid`, or else its position in the set. A remote `kid` may contain anything,
/// so it is cut and escaped for the log.
fn name(kid: Option<&str>, number: usize) -> String {
    match kid {
        Some(kid) => {
            format!("the key `{}`", kid.chars().take(64).flat_map(char::escape_debug).collect::<String>())
        }
        None => format!("key number {number} (without a `kid`)"),
    }
}
