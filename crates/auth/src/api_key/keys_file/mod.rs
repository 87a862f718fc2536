//! The keys file: the holders of keys and their rights.

mod fields;

use std::{borrow::Cow, collections::HashMap, time::SystemTime};

use gatewright_core::Quota;

use super::{
    hasher::KeyHasher,
    records::{self, Field, Record, Text},
};
use crate::{
    ContentError,
    content::{Position, Problems, shown},
    digest::Digest,
};

/// One entry of the file.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) owner: Option<String>,
    pub(super) digest: Digest,
    pub(super) scopes: Vec<String>,
    pub(super) expires: Option<SystemTime>,
    pub(super) limits: Vec<Quota>,
    pub(super) disabled: bool,
}

const FIELDS: &[&str] = &["name", "owner", "hash", "scopes", "expires", "limit", "disabled"];

const HASH: &str = "`gatewright keys new NAME` prints a key and the entry for it";

/// Reads a keys file. `each` gets the good entries; all problems of the others are returned together.
pub(super) fn read(
    content: &[u8],
    hasher: &KeyHasher,
    mut each: impl FnMut(Entry),
) -> Result<(), ContentError> {
    let mut problems = Problems::default();
    let text = match std::str::from_utf8(content) {
        Ok(text) => text,
        Err(error) => {
            let before = &content[..error.valid_up_to()];
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            problems.add(Position { line, column: 1 }, "this line is not UTF-8 text", "");
            return problems.finish();
        }
    };
    let mut names = HashMap::new();
    let mut digests = HashMap::new();
    let text = without_empty_list(text);
    let is_list = records::read(&text, &mut problems, |record, problems| {
        let position = record.position;
        let Some(entry) = entry(record, hasher, problems) else { return };
        if let Some(first) = names.insert(entry.name.clone(), position.line) {
            let message = format!("line {first} already has a key of the name {}", shown(&entry.name));
            problems.add(position, message, "give it another name; several keys may have the same `owner`");
        }
        if let Some(first) = digests.insert(entry.digest, position.line) {
            let message = format!("line {first} already has the same hash");
            problems.add(position, message, "a key has one entry: remove one of the two");
        }
        each(entry);
    });
    if !is_list && problems.is_empty() {
        let start = Position { line: 1, column: 1 };
        problems.add(start, "the file is empty", "write `[]` if no key should be valid");
    }
    problems.finish()
}

/// Supports an empty list (`[]`) to which `>>` has appended entries: the result is the list of those entries.
/// Spaces replace the brackets, so that the positions of all that follows stay the same.
fn without_empty_list(text: &str) -> Cow<'_, str> {
    let is_content = |line: &&str| !matches!(line.trim_start().bytes().next(), None | Some(b'#'));
    let mut lines = text.lines().filter(is_content);
    let is_empty = lines.next().is_some_and(|line| line.trim_end() == "[]");
    if !(is_empty && lines.next().is_some_and(|line| line.starts_with("- "))) {
        return Cow::Borrowed(text);
    }
    let before = text.split_inclusive('\n').take_while(|line| !is_content(line)).map(str::len).sum::<usize>();
    let (before, list) = text.split_at(before);
    Cow::Owned([before, "  ", list.get(2..).unwrap_or_default()].concat())
}

/// The entry of a record, if the record has no problems.
fn entry(record: Record, hasher: &KeyHasher, problems: &mut Problems) -> Option<Entry> {
    let Record { position, fields: written } = record;
    let (mut name, mut owner, mut digest, mut expires) = (None, None, None, None);
    let (mut scopes, mut limits, mut disabled) = (Vec::new(), Vec::new(), false);
    let mut seen = [false; FIELDS.len()];
    let before = problems.len();
    for Field { name: field, value } in written {
        let Some(index) = FIELDS.iter().position(|known| *known == field.text) else {
            unknown_field(&field, problems);
            continue;
        };
        if std::mem::replace(&mut seen[index], true) {
            problems.add(field.position, format!("`{}` is written twice", field.text), "keep one of them");
            continue;
        }
        match FIELDS[index] {
            "name" => name = fields::word(&field, value, problems),
            "owner" => owner = fields::word(&field, value, problems),
            "hash" => digest = fields::hash(&field, value, hasher, problems),
            "scopes" => scopes = fields::scopes(&field, value, problems),
            "expires" => expires = fields::expires(&field, value, problems),
            "limit" => limits = fields::limits(&field, value, problems),
            _ => disabled = fields::yes_or_no(&field, value, problems),
        }
    }
    for (index, what) in [(0, "name"), (2, "hash")] {
        if !seen[index] {
            problems.add(position, format!("this key has no `{what}`"), HASH);
        }
    }
    if problems.len() > before {
        return None;
    }
    Some(Entry { name: name?, owner, digest: digest?, scopes, expires, limits, disabled })
}

fn unknown_field(field: &Text, problems: &mut Problems) {
    let secret = matches!(&*field.text, "key" | "secret" | "token" | "api_key" | "value");
    let help = match similar(&field.text) {
        _ if secret => format!("the file contains hashes only: {HASH}"),
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("a key has `{}`", FIELDS.join("`, `")),
    };
    problems.add(field.position, format!("unknown field {}", shown(&field.text)), help);
}

/// The known field that is most similar to the written one.
fn similar(written: &str) -> Option<&'static str> {
    let written = written.to_lowercase();
    let distance = |field: &&str| strsim::damerau_levenshtein(&written, field);
    FIELDS.iter().copied().min_by_key(distance).filter(|field| distance(field) <= 2)
}

#[cfg(test)]
mod tests;
