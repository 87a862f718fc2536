//! A JSON Web Key (RFC 7517) read.

use serde_json::{Map, Value};

use super::{KeyError, key::Key};
use crate::{
    base64url,
    jwt::{Algorithm, Scheme},
};

/// Whose keys are read, which decides what is believed of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A file of the operator's, which may hold shared secrets.
    Local,
    /// An identity provider. What everybody can fetch is no secret, whatever it says.
    #[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "keys from afar are a feature"))]
    Remote,
}

/// The longest `kid`, in bytes.
const LONGEST_KID: usize = 256;

/// The key; `None` when it is none for signatures.
pub(super) fn read(jwk: &Map<String, Value>, origin: Origin) -> Result<Option<Key>, KeyError> {
    if !is_for_signatures(jwk) {
        return Ok(None);
    }
    let kid = match jwk.get("kid") {
        None => None,
        Some(Value::String(kid)) if kid.len() <= LONGEST_KID => Some(kid.as_str()),
        Some(_) => return Err(KeyError::new("the `kid` is no text of at most 256 bytes")),
    };
    let algorithm = match jwk.get("alg") {
        None => None,
        Some(Value::String(name)) => match Algorithm::of_name(name) {
            // An encryption algorithm, say, or one of the future.
            None => return Ok(None),
            algorithm => algorithm,
        },
        Some(_) => return Err(KeyError::new("the `alg` is no text")),
    };
    let key = match text(jwk, "kty")? {
        "oct" if origin == Origin::Remote => {
            return Err(KeyError::new("a shared secret that is published is none"));
        }
        "oct" => {
            let algorithm = algorithm.ok_or(KeyError::new("a shared secret needs an `alg`"))?;
            Key::secret(algorithm, &octets(jwk, "k")?)
        }
        "RSA" => {
            let algorithm = algorithm.unwrap_or(Algorithm::Rs256);
            Key::rsa(algorithm, &octets(jwk, "n")?, &octets(jwk, "e")?)
        }
        "EC" => match of_curve(text(jwk, "crv")?) {
            None => return Ok(None),
            Some(own) if algorithm.is_some_and(|named| named != own) => {
                Err(KeyError::new("the `alg` does not fit the curve"))
            }
            Some(own) => Key::elliptic(own, &octets(jwk, "x")?, &octets(jwk, "y")?),
        },
        "OKP" if text(jwk, "crv")? == "Ed25519" => {
            Key::edwards(algorithm.unwrap_or(Algorithm::EdDsa), &octets(jwk, "x")?)
        }
        _ => return Ok(None),
    }?;
    Ok(Some(key.named(kid)))
}

/// What `use` and `key_ops` say (RFC 7517, sections 4.2 and 4.3).
fn is_for_signatures(jwk: &Map<String, Value>) -> bool {
    let used = jwk.get("use").is_none_or(|used| used == "sig");
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    };
    used && jwk.get("key_ops").is_none_or(verifies)
}

fn of_curve(name: &str) -> Option<Algorithm> {
    [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512]
        .into_iter()
        .find(|algorithm| matches!(algorithm.scheme(), Scheme::Curve { name: own, .. } if own == name))
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, KeyError> {
    jwk.get(name).and_then(Value::as_str).ok_or_else(|| KeyError::new(format!("the key has no `{name}`")))
}

fn octets(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    base64url::decode(text(jwk, name)?).ok_or_else(|| KeyError::new(format!("the `{name}` is no base64url")))
}
