//! A JSON Web Key (RFC 7517) read.

use serde_json::{Map, Value};

use super::{
    KeyError,
    certificate::{self, PublicKey},
    key::Key,
};
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

/// The key; `None` when it is none for signatures that are verified here.
pub(super) fn read(jwk: &Map<String, Value>, origin: Origin) -> Result<Option<Key>, KeyError> {
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
            let (n, e) = (octets(jwk, "n")?, octets(jwk, "e")?);
            certificate::agrees(jwk, &PublicKey::Rsa(&n, &e))?;
            Key::rsa(algorithm, &n, &e)
        }
        "EC" => match of_curve(text(jwk, "crv")?) {
            None => return Ok(None),
            Some(own) if algorithm.is_some_and(|named| named != own) => {
                Err(KeyError::new("the `alg` does not fit the curve"))
            }
            Some(own) => {
                let (x, y) = (octets(jwk, "x")?, octets(jwk, "y")?);
                certificate::agrees(jwk, &PublicKey::Curve(&[&[4], &*x, &*y].concat()))?;
                Key::elliptic(own, &x, &y)
            }
        },
        "OKP" if text(jwk, "crv")? == "Ed25519" => {
            let x = octets(jwk, "x")?;
            certificate::agrees(jwk, &PublicKey::Edwards(&x))?;
            Key::edwards(algorithm.unwrap_or(Algorithm::EdDsa), &x)
        }
        _ => return Ok(None),
    }?;
    Ok(Some(key.named(kid)))
}

/// Why a key is not for verifying signatures, by what its `use` and `key_ops` say (RFC 7517, sections 4.2 and 4.3).
pub(super) fn other_use(jwk: &Map<String, Value>) -> Option<&'static str> {
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    };
    if jwk.get("use").is_some_and(|used| used != "sig") {
        Some("its `use` is not `sig`")
    } else if !jwk.get("key_ops").is_none_or(verifies) {
        Some("its `key_ops` have no `verify`")
    } else {
        None
    }
}

/// Whether it has its private half (RFC 7518, sections 6.2.2 and 6.3.2, and RFC 8037, section 2).
pub(super) fn is_private(jwk: &Map<String, Value>) -> bool {
    jwk.contains_key("d") && jwk.get("kty").is_some_and(|kind| kind != "oct")
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
