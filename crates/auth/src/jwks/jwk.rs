//! Reads a JSON Web Key (RFC 7517).

use serde_json::{Map, Value};

use super::{
    KeyError,
    certificate::{self, PublicKey},
    key::Key,
};
use crate::{
    base64url,
    jwt::{Algorithm, KeyKind},
};

/// The origin of a key, which decides how far it is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A file of the operator, which may contain shared secrets.
    Local,
    /// An identity provider. What it publishes cannot be a secret.
    #[cfg_attr(not(feature = "remote"), allow(dead_code, reason = "remote keys are a feature"))]
    Remote,
}

/// The longest `kid`, in bytes.
const LONGEST_KID: usize = 256;

/// A JSON Web Key that was read.
pub(super) enum Jwk {
    Key(Key),
    /// Not a key for signatures that this crate verifies, and why.
    Other(String),
}

/// The names of the algorithms, as an error lists them.
const ALGORITHMS: &str = "HS256, RS256, PS256, ES256 (each with 384 and 512 too) or EdDSA";

/// Reads a key.
pub(super) fn read(jwk: &Map<String, Value>, origin: Origin) -> Result<Jwk, KeyError> {
    let kid = match jwk.get("kid") {
        None => None,
        Some(Value::String(kid)) if kid.len() <= LONGEST_KID => Some(kid.as_str()),
        Some(Value::Number(number)) => {
            return Err(KeyError::new(format!("its `kid` is a number, and has to be text: `\"{number}\"`")));
        }
        Some(_) => return Err(KeyError::new("its `kid` must be a text of at most 256 bytes")),
    };
    let algorithm = match jwk.get("alg") {
        None => None,
        Some(Value::String(name)) => match Algorithm::of_name(name) {
            None if Algorithm::of_name(&name.to_ascii_uppercase()).is_some() => {
                let right = name.to_ascii_uppercase();
                return Err(KeyError::new(format!("its `alg` is in lower case: write `{right}`")));
            }
            // An encryption algorithm or a newer algorithm, say.
            None => return Ok(Jwk::Other(format!("its `alg` is none of {ALGORITHMS}"))),
            algorithm => algorithm,
        },
        Some(_) => {
            return Err(KeyError::new("its `alg` must be a text: write the algorithm's name, or leave it out"));
        }
    };
    let key = match text(jwk, "kty")? {
        "oct" if origin == Origin::Remote => {
            return Err(KeyError::new(
                "a shared secret must not be published: anyone could make tokens with it",
            ));
        }
        "oct" => Key::secret(algorithm, &octets(jwk, "k")?),
        "RSA" => {
            let (n, e) = (octets(jwk, "n")?, octets(jwk, "e")?);
            certificate::agrees(jwk, &PublicKey::Rsa(&n, &e))?;
            Key::rsa(algorithm, &n, &e)
        }
        "EC" => match of_curve(text(jwk, "crv")?) {
            None => return Ok(Jwk::Other("its curve (`crv`) is none of P-256, P-384 and P-521".to_owned())),
            Some(own) if algorithm.is_some_and(|named| named != own) => {
                Err(KeyError::new(format!("its `alg` does not fit its curve: leave it out, or write `{own}`")))
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
        "OKP" => return Ok(Jwk::Other("its curve (`crv`) is not Ed25519".to_owned())),
        _ => return Ok(Jwk::Other("its `kty` is none of RSA, EC, OKP and oct".to_owned())),
    }?;
    Ok(Jwk::Key(key.named(kid)))
}

/// Why a key is not for verifying signatures, according to its `use` and `key_ops` (RFC 7517, sections 4.2 and
/// 4.3).
pub(super) fn other_use(jwk: &Map<String, Value>) -> Option<&'static str> {
    let verifies = |operations: &Value| {
        operations.as_array().is_some_and(|operations| operations.iter().any(|operation| operation == "verify"))
    };
    if jwk.get("use").is_some_and(|used| used != "sig") {
        Some("its `use` is not `sig`; ask the issuer for the keys that sign its tokens")
    } else if !jwk.get("key_ops").is_none_or(verifies) {
        Some("its `key_ops` have no `verify`; ask the issuer for the keys that sign its tokens")
    } else {
        None
    }
}

/// The members of the key's private half, if it has one (RFC 7518, sections 6.2.2 and 6.3.2, and RFC 8037, section
/// 2).
pub(super) fn private_members(jwk: &Map<String, Value>) -> Option<&'static str> {
    let kind = jwk.get("kty").filter(|kind| *kind != "oct" && jwk.contains_key("d"))?;
    Some(if kind == "RSA" { "`d`, `p`, `q`, `dp`, `dq` and `qi`" } else { "`d`" })
}

fn of_curve(name: &str) -> Option<Algorithm> {
    [Algorithm::Es256, Algorithm::Es384, Algorithm::Es512]
        .into_iter()
        .find(|algorithm| matches!(algorithm.key_kind(), KeyKind::Elliptic { curve, .. } if curve == name))
}

fn text<'a>(jwk: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, KeyError> {
    jwk.get(name).and_then(Value::as_str).ok_or_else(|| {
        let remedy = match jwk.contains_key("x5c") {
            true => {
                "; its certificate (`x5c`) does not stand for it: name the certificate's public key by `public_key`, \
                 in PEM"
            }
            false => "",
        };
        KeyError::new(format!("it has no `{name}`{remedy}"))
    })
}

fn octets(jwk: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, KeyError> {
    let why = || {
        KeyError::new(format!(
            "its `{name}` is no base64url, which has `-` for `+`, `_` for `/`, and no `=` at the end"
        ))
    };
    base64url::decode(text(jwk, name)?).ok_or_else(why)
}
