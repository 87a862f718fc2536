//! Claims that are passed to services in header fields.

use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::claim_path::{self, ClaimPath};

/// The claims to pass, and the header field for each.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClaimHeaders(Vec<(HeaderName, ClaimPath)>);

/// A claim that a header field cannot carry without a change of meaning.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unfit;

impl ClaimHeaders {
    pub(crate) fn add(&mut self, name: HeaderName, path: ClaimPath) {
        self.0.push((name, path));
    }

    /// The fields for a token's claims. A missing claim has no field.
    pub(crate) fn of(&self, claims: &Map<String, Value>) -> Result<Vec<(HeaderName, HeaderValue)>, Unfit> {
        let there = self.0.iter().filter_map(|(name, path)| Some((name, path.of_claims(claims)?)));
        there.map(|(name, value)| Ok((name.clone(), field(value)?))).collect()
    }

    /// The names of the fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = HeaderName> {
        self.0.iter().map(|(name, _)| name.clone())
    }
}

/// The field's value for a claim. A list is joined by commas, so its members may not contain commas. An object is
/// written as JSON.
fn field(value: &Value) -> Result<HeaderValue, Unfit> {
    let text = match value {
        Value::Array(members) => {
            let texts: Option<Vec<_>> = members.iter().map(claim_path::text).collect();
            let texts = texts.ok_or(Unfit)?;
            if texts.iter().any(|text| text.contains(',') || is_trimmed_by_readers(text)) {
                return Err(Unfit);
            }
            texts.join(",")
        }
        Value::Object(_) => value.to_string(),
        Value::Null => String::new(),
        value => claim_path::text(value).ok_or(Unfit)?.into_owned(),
    };
    // `HeaderValue` would accept a tab.
    if text.chars().any(char::is_control) || is_trimmed_by_readers(&text) {
        return Err(Unfit);
    }
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| Unfit)
}

/// Whether a reader would trim the text: `admin ` becomes `admin` (RFC 9110, section 5.5).
fn is_trimmed_by_readers(text: &str) -> bool {
    text.trim() != text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_claim_is_told_as_it_is_or_not_at_all() {
        for (value, expected) in [
            (json!("u1"), Ok("u1")),
            (json!("Zoë, the one"), Ok("Zoë, the one")),
            (json!(7), Ok("7")),
            (json!(true), Ok("true")),
            (json!(null), Ok("")),
            (json!([]), Ok("")),
            (json!(["a", "b c", 1]), Ok("a,b c,1")),
            (json!({"a": [1]}), Ok(r#"{"a":[1]}"#)),
            (json!(["a,b"]), Err(Unfit)),
            (json!([["a"]]), Err(Unfit)),
            (json!("a\r\nx-admin: 1"), Err(Unfit)),
            (json!("a\u{0}"), Err(Unfit)),
            (json!("a\tb"), Err(Unfit)),
            (json!("a\u{85}b"), Err(Unfit)),
            (json!(["a", "b\n"]), Err(Unfit)),
            (json!("admin "), Err(Unfit)),
            (json!(" admin"), Err(Unfit)),
            (json!("admin\u{a0}"), Err(Unfit)),
            (json!(["a", " admin"]), Err(Unfit)),
        ] {
            let field = field(&value);
            assert_eq!(
                field.as_ref().map(HeaderValue::as_bytes),
                expected.as_ref().map(|text| text.as_bytes()),
                "{value}"
            );
        }
    }
}
