//! Reads the fields of an entry.

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

/// The text of a field with a single value.
fn text(field: &Text, value: Value, problems: &mut Problems) -> Option<Text> {
    match value {
        Value::Text(text) => return Some(text),
        Value::Invalid => {}
        Value::Nothing => problems.add(field.position, format!("`{}` has no value", field.text), ""),
        Value::List(_) => {
            problems.add(field.position, format!("`{}` is one value, not a list", field.text), "")
        }
    }
    None
}

/// The texts of a field with a single value or a list.
fn texts(field: &Text, value: Value, problems: &mut Problems) -> Vec<Text> {
    match value {
        Value::List(list) => list,
        value => text(field, value, problems).into_iter().collect(),
    }
}

/// Reads a name. Names are written to logs and headers.
pub(super) fn word(field: &Text, value: Value, problems: &mut Problems) -> Option<String> {
    let Text { position, text } = text(field, value, problems)?;
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
    problems.add(position, format!("`{}` {message}", field.text), "");
    None
}

/// Reads a hash. A problem never shows the text: someone may have put the key there.
pub(super) fn hash(field: &Text, value: Value, hasher: &KeyHasher, problems: &mut Problems) -> Option<Digest> {
    let Text { position, text } = text(field, value, problems)?;
    let (message, help) = match hasher.read(&text) {
        Ok(digest) => return Some(digest),
        Err(_) if may_hold_key(&text) => ("this is a key in clear, not its hash", HASH),
        Err(NotAHash::NoScheme) => ("a hash is written `blake3:` and 64 hexadecimal digits", HASH),
        Err(NotAHash::UnknownScheme) => {
            ("there is no such kind of hash", "keys are hashed by `blake3` or `blake3-peppered`")
        }
        Err(NotAHash::Digits) => ("a hash has 64 hexadecimal digits", HASH),
        Err(NotAHash::PepperMissing) => {
            ("this hash was made with a pepper, and none is configured", "configure the pepper of these keys")
        }
        Err(NotAHash::PepperUnused) => (
            "this hash was made without the pepper that is configured",
            "give the owner a new key, made with the pepper",
        ),
    };
    problems.add(position, message, help);
    None
}

/// Reads scopes, as a list or as one text with spaces (RFC 6749, section 3.3).
pub(super) fn scopes(field: &Text, value: Value, problems: &mut Problems) -> Vec<String> {
    let mut scopes = Vec::new();
    for Text { position, text } in texts(field, value, problems) {
        let allowed = |byte: u8| matches!(byte, b'!' | b'#'..=b'[' | b']'..=b'~');
        for scope in text.split(' ') {
            if scope.is_empty() || !scope.bytes().all(allowed) || may_hold_key(scope) {
                let message = format!("{} is no scope", shown(scope));
                problems.add(position, message, "a scope has visible ASCII characters without `\"` and `\\`");
            } else {
                scopes.push(scope.to_owned());
            }
        }
    }
    scopes
}

pub(super) fn expires(field: &Text, value: Value, problems: &mut Problems) -> Option<SystemTime> {
    let Text { position, text } = text(field, value, problems)?;
    let end = date::end(&text);
    if end.is_none() {
        let message = format!("{} is neither a date nor a time", shown(&text));
        problems.add(
            position,
            message,
            "write `2027-06-30` (to the end of that day, UTC) or `2027-06-30T12:00:00Z`",
        );
    }
    end
}

pub(super) fn limits(field: &Text, value: Value, problems: &mut Problems) -> Vec<Quota> {
    let mut limits = Vec::new();
    for Text { position, text } in texts(field, value, problems) {
        match text.parse() {
            Ok(limit) => limits.push(limit),
            Err(_) => problems.add(
                position,
                format!("{} is no limit", shown(&text)),
                "write `100/min`, `5000/day` or `100/min burst 20`",
            ),
        }
    }
    limits
}

pub(super) fn yes_or_no(field: &Text, value: Value, problems: &mut Problems) -> bool {
    let Some(Text { position, text }) = text(field, value, problems) else { return false };
    match &*text {
        "true" | "yes" | "on" => true,
        "false" | "no" | "off" => false,
        _ => {
            problems.add(position, format!("{} is neither true nor false", shown(&text)), "");
            false
        }
    }
}
