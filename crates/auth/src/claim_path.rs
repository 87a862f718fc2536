//! The path of a claim.

use std::borrow::Cow;

use gatewright_core::Principal;
use serde_json::{Map, Value};

/// The path of a claim: `realm_access.roles`, a single name (`https://example.com/roles`), or a JSON pointer (RFC
/// 6901) if the text begins with a slash.
///
/// A claim with the whole text as its name comes first. Only if there is none do the dots lead into objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(Box<str>);

impl ClaimPath {
    /// The path that the text describes.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The value at this path in a principal's claims.
    pub fn of<'a>(&self, principal: &'a Principal) -> Option<&'a Value> {
        self.find(|name| principal.claim(name))
    }

    /// The value at this path in a token's claims.
    pub(crate) fn of_claims<'a>(&self, claims: &'a Map<String, Value>) -> Option<&'a Value> {
        self.find(|name| claims.get(name))
    }

    fn find<'a>(&self, claim: impl Fn(&str) -> Option<&'a Value>) -> Option<&'a Value> {
        if let Some(pointer) = self.0.strip_prefix('/') {
            let (first, rest) =
                pointer.split_once('/').map_or((pointer, ""), |(first, _)| (first, &pointer[first.len()..]));
            return claim(&first.replace("~1", "/").replace("~0", "~"))?.pointer(rest);
        }
        claim(&self.0).or_else(|| {
            let mut names = self.0.split('.');
            let first = claim(names.next()?)?;
            names.try_fold(first, |value, name| value.as_object()?.get(name))
        })
    }
}

impl<T: Into<Box<str>>> From<T> for ClaimPath {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// The texts of a claim that is one value or a list of values. Values that are no text, number or boolean are left
/// out.
pub(crate) fn texts(value: &Value) -> impl Iterator<Item = Cow<'_, str>> {
    let values = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    values.iter().filter_map(text)
}

/// The words of a claim that is a text with spaces, or a list of such texts. Each word occurs once.
pub(crate) fn words(value: &Value) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for text in texts(value) {
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if !words.iter().any(|held| held == word) {
                words.push(word.to_owned());
            }
        }
    }
    words
}

/// The text of a claim that is a single value.
pub(crate) fn text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(truth) => Some(Cow::Borrowed(if *truth { "true" } else { "false" })),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_found_by_name_by_dots_and_by_pointer() {
        let claims = json!({
            "sub": "u1",
            "realm_access": {"roles": ["admin", 7, true, null, {}]},
            "a.b": "whole",
            "a": {"b": "inner", "c/d": {"~e": "deep"}},
            "https://example.com/roles": ["r"],
            "list": [{"x": "y"}],
        });
        let claims = claims.as_object().expect("an object");
        for (path, expected) in [
            ("sub", json!("u1")),
            ("a.b", json!("whole")),
            ("/a/b", json!("inner")),
            ("/a/c~1d/~0e", json!("deep")),
            ("https://example.com/roles", json!(["r"])),
            ("/list/0/x", json!("y")),
        ] {
            assert_eq!(ClaimPath::new(path).of_claims(claims), Some(&expected), "{path}");
        }
        for path in ["", "/", ".", "sub.x", "realm_access.", "list.0", "a.b.c", "nothing"] {
            assert_eq!(ClaimPath::new(path).of_claims(claims), None, "{path:?}");
        }
        let roles = ClaimPath::new("realm_access.roles").of_claims(claims).expect("there");
        assert_eq!(texts(roles).collect::<Vec<_>>(), ["admin", "7", "true"]);
    }
}
