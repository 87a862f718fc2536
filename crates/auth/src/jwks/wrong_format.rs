//! Explains a text that is not a JSON Web Key Set, and how to get one.

use serde_json::{Map, Value};

use super::KeyError;

/// Explains a text that is no JSON object.
pub(super) fn of_text(text: &[u8], error: &serde_json::Error) -> KeyError {
    let begin = text.trim_ascii_start();
    let is = |start: &[u8]| begin.starts_with(start);
    KeyError::new(if begin.is_empty() {
        "it is empty, but a JSON Web Key Set is needed: `{\"keys\": [...]}`".to_owned()
    } else if is(b"-----BEGIN ") {
        "it is PEM, and a JSON Web Key Set is JSON: name a public key in PEM by `public_key`".to_owned()
    } else if is(b"<") {
        "it is a web page, and a JSON Web Key Set is JSON: save what the issuer's `jwks_uri` leads to"
            .to_owned()
    } else if is(b"[") {
        "it is a list, and a JSON Web Key Set is an object: write the list as `{\"keys\": [...]}`".to_owned()
    } else if text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]) {
        "it is UTF-16, and JSON is UTF-8: save it as UTF-8".to_owned()
    } else {
        format!("it is no valid JSON: {error}")
    })
}

/// Explains an object without keys.
pub(super) fn of_object(object: &Map<String, Value>) -> KeyError {
    let is_certificate = |value: &Value| value.as_str().is_some_and(|text| text.starts_with("-----BEGIN CERT"));
    KeyError::new(if object.contains_key("keys") {
        "no JSON Web Key Set: its `keys` are no list"
    } else if object.contains_key("jwks_uri") {
        "it is the issuer's description of itself: take what its `jwks_uri` leads to, or name the issuer by `oidc`"
    } else if object.values().any(is_certificate) {
        "it holds certificates, and no JSON Web Key Set: take what the issuer's `jwks_uri` leads to"
    } else {
        "no JSON Web Key Set: it has no list `keys`"
    })
}
