//! What the fields of an entry mean.

use std::time::SystemTime;

use gatewright_core::Quota;

use super::HASH;
use crate::{
    api_key::{
        date,
        hasher::{KeyHasher, NotAHash},
        records::{Text, Value},
    },
    content::{Problems, may_hold_key, shown},
    digest::Digest,
};

/// The longest name and the longest owner, in characters.
const LONGEST: usize = 128;

/// The one text of a field.
fn text(field: &Text, value: Value, problems: &mut Problems) -> Option<Text> {
    match value {
        Value::Text(text) => return Some(text),
        Value::Invalid => {}
        Value::Nothing => problems.add(field.place, format!("`{}` has no value", field.text), ""),
        Value::List(_) => problems.add(field.place, format!("`{}` is one value, not a list", field.text), ""),
    }
    None
}

/// The texts of a field that may be one or a list.
fn texts(field: &Text, value: Value, problems: &mut Problems) -> Vec<Text> {
    match value {
        Value::List(list) => list,
        value => text(field, value, problems).into_iter().collect(),
    }
}

/// A name: it goes into logs and into headers.
pub(super) fn word(field: &Text, value: Value, problems: &mut Problems) -> Option<String> {
    let Text { place, text } = text(field, value, problems)?;
    let message = if may_hold_key(&text) {
        "holds a key in clear"
    } else if text.is_empty() || text.trim() != text {
        "is empty, or begins or ends with a space"
    } else if text.chars().count() > LONGEST {
        "is longer than 128 characters"
    } else if text.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Some(text);
    };
    problems.add(place, format!("`{}` {message}", field.text), "");
    None
}

/// What is wrong with a hash is told without it: somebody may have put the key there.
pub(super) fn hash(field: &Text, value: Value, hasher: &KeyHasher, problems: &mut Problems) -> Option<Digest> {
    let Text { place, text } = text(field, value, problems)?;
    let (message, help) = match hasher.read(&text) {
        Ok(digest) => return Some(digest),
        Err(_) if may_hold_key(&text) => ("this is a key in clear, not its hash", HASH),
        Err(NotAHash::NoScheme) => ("a hash is written `blake3:` and 64 hexadecimal digits", HASH),
        Err(NotAHash::UnknownScheme) => {
            ("there is no such kind of hash", "keys are hashed by `blake3` or `blake3-peppered`")
        }
        Err(NotAHash::Digits) => ("a hash has 64 hexadecimal digits", HASH),
        Err(NotAHash::PepperMissing) => {
            ("this hash was made with a pepper, and none is configured", "configure the pepper")
        }
        Err(NotAHash::PepperUnused) => (
            "this hash was made without the pepper that is configured",
            "give the owner a new key, made with the pepper",
        ),
    };
    problems.add(place, message, help);
    None
}

/// Scopes, as a list or as one text with spaces between them; tokens of RFC 6749, section 3.3.
pub(super) fn scopes(field: &Text, value: Value, problems: &mut Problems) -> Vec<String> {
    let mut scopes = Vec::new();
    for Text { place, text } in texts(field, value, problems) {
        let allowed = |byte: u8| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
        for scope in text.split(' ') {
            if scope.is_empty() || !scope.bytes().all(allowed) || may_hold_key(scope) {
                let message = format!("{} is no scope", shown(scope));
                problems.add(place, message, "a scope has visible ASCII characters, without `\"` and `\\`");
            } else {
                scopes.push(scope.to_owned());
            }
        }
    }
    scopes
}

pub(super) fn expires(field: &Text, value: Value, problems: &mut Problems) -> Option<SystemTime> {
    let Text { place, text } = text(field, value, problems)?;
    let end = date::end(&text);
    if end.is_none() {
        let message = format!("{} is neither a date nor a time", shown(&text));
        problems.add(
            place,
            message,
            "write `2027-06-30` (to the end of that day, UTC) or `2027-06-30T12:00:00Z`",
        );
    }
    end
}

pub(super) fn limits(field: &Text, value: Value, problems: &mut Problems) -> Vec<Quota> {
    let mut limits = Vec::new();
    for Text { place, text } in texts(field, value, problems) {
        match text.parse() {
            Ok(limit) => limits.push(limit),
            Err(_) => problems.add(
                place,
                format!("{} is no limit", shown(&text)),
                "write `100/min`, `5000/day` or `100/min burst 20`",
            ),
        }
    }
    limits
}

pub(super) fn yes_or_no(field: &Text, value: Value, problems: &mut Problems) -> bool {
    let Some(Text { place, text }) = text(field, value, problems) else { return false };
    match &*text {
        "true" | "yes" | "on" => true,
        "false" | "no" | "off" => false,
        _ => {
            problems.add(place, format!("{} is neither true nor false", shown(&text)), "");
            false
        }
    }
}
