//! A token in its parts (RFC 7515, section 7.1), before anything in it is trusted.

use serde_json::{Map, Value};

use super::{Algorithm, fault::Fault};
use crate::{base64url, strict_json};

/// A signed token in its compact form. Its claims are not verified yet.
pub(super) struct Token<'a> {
    pub(super) header: Header,
    pub(super) claims: Map<String, Value>,
    /// The signed text: header and payload as they were sent.
    pub(super) signed: &'a str,
    pub(super) signature: Vec<u8>,
}

/// The members of a token's header that are used. Keys and addresses of keys in it (`jwk`, `jku`, `x5c`, `x5u`) are
/// not: the maker of a token may not choose the key that verifies it.
pub(super) struct Header {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    pub(super) typ: Option<String>,
}

/// The longest `kid`, in bytes.
const LONGEST_KID: usize = 256;

impl<'a> Token<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Fault> {
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Fault::Malformed);
        };
        match parts.count() {
            0 => {}
            // An encrypted token has five parts (RFC 7516, section 7.1).
            2 => return Err(Fault::Encrypted),
            _ => return Err(Fault::Malformed),
        }
        let signed = &text[..header.len() + 1 + payload.len()];
        let header = Header::read(&base64url::decode(header).ok_or(Fault::Malformed)?)?;
        let payload = base64url::decode(payload).ok_or(Fault::Malformed)?;
        let claims = strict_json::object(&payload).ok_or(Fault::Claims)?;
        let signature = base64url::decode(signature).ok_or(Fault::Malformed)?;
        Ok(Self { header, claims, signed, signature })
    }
}

impl Header {
    fn read(text: &[u8]) -> Result<Self, Fault> {
        let header = strict_json::object(text).ok_or(Fault::Header)?;
        if header.contains_key("enc") {
            return Err(Fault::Encrypted);
        }
        let algorithm = match header.get("alg").and_then(Value::as_str) {
            None => return Err(Fault::Header),
            Some(name) if name.eq_ignore_ascii_case("none") => return Err(Fault::AlgNone),
            Some(name) => Algorithm::of_name(name).ok_or(Fault::AlgUnknown)?,
        };
        // No extension is supported, so none may be critical (RFC 7515, section 4.1.11).
        if header.contains_key("crit") {
            return Err(Fault::Crit);
        }
        if header.contains_key("zip") {
            return Err(Fault::Compressed);
        }
        // RFC 7797: the payload would not be base64url.
        if header.get("b64").is_some_and(|encoded| *encoded != Value::Bool(true)) {
            return Err(Fault::Unencoded);
        }
        // A token inside the token (RFC 7519, section 5.2).
        if header.contains_key("cty") {
            return Err(Fault::Nested);
        }
        let kid = match header.get("kid") {
            None => None,
            Some(Value::String(kid)) if kid.len() <= LONGEST_KID => Some(kid.clone()),
            Some(_) => return Err(Fault::Kid),
        };
        let typ = match header.get("typ") {
            None => None,
            Some(Value::String(typ)) => Some(media_type(typ)),
            Some(_) => return Err(Fault::Typ),
        };
        Ok(Self { algorithm, kid, typ })
    }
}

/// A media type in the form in which types are compared: in lower case, without `application/` (RFC 7515, section
/// 4.1.9).
pub(super) fn media_type(typ: &str) -> String {
    let typ = typ.to_ascii_lowercase();
    match typ.strip_prefix("application/") {
        Some(short) if !short.contains('/') => short.to_owned(),
        _ => typ,
    }
}
