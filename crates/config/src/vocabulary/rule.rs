//! Which keys of a section go together.

use serde_json::{Value, json};

use super::Shape;

/// A rule about keys of a section, with the help for those who break it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) relation: Relation,
    /// How to mend a map that lacks a key; an example of the key when it is empty.
    pub(crate) missing: &'static str,
    /// How to mend a map that has a key too many.
    pub(crate) surplus: &'static str,
}

/// How the keys of a rule go together. Of keys that exclude each other, the later one in the list is reported.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Relation {
    ExactlyOne(&'static [&'static str]),
    AtMostOne(&'static [&'static str]),
    AtLeastOne(&'static [&'static str]),
    /// Each needs the other.
    Together(&'static str, &'static str),
    /// The first one needs the second.
    Needs(&'static str, &'static str),
    /// The first one needs the second, unless its value is `off`.
    NeedsUnlessOff(&'static str, &'static str),
    /// The first one cannot stand beside the others.
    Excludes(&'static str, &'static [&'static str]),
}

impl Rule {
    pub(crate) const fn new(relation: Relation) -> Self {
        Self { relation, missing: "", surplus: "keep one of them" }
    }

    /// Says how to mend a map that lacks a key.
    pub(crate) const fn missing(mut self, help: &'static str) -> Self {
        self.missing = help;
        self
    }

    /// Says how to mend a map that has a key too many.
    pub(crate) const fn surplus(mut self, help: &'static str) -> Self {
        self.surplus = help;
        self
    }
}

impl Relation {
    /// The relation as a sentence of the reference.
    pub(super) fn describe(self) -> Option<String> {
        let listed = |keys: &[&str]| {
            let keys: Vec<_> = keys.iter().map(|key| format!("`{key}`")).collect();
            match keys.split_last() {
                Some((only, [])) => only.clone(),
                Some((end, others)) => format!("{} and {end}", others.join(", ")),
                None => String::new(),
            }
        };
        Some(match self {
            // The table of keys says it.
            Self::AtLeastOne([_]) => return None,
            Self::ExactlyOne(keys) => format!("It has one of {}.", listed(keys)),
            Self::AtMostOne(keys) => format!("Only one of {} can be there.", listed(keys)),
            Self::AtLeastOne(keys) => format!("It has at least one of {}.", listed(keys)),
            Self::Together(one, other) => format!("`{one}` and `{other}` go together."),
            Self::Needs(key, other) => format!("`{key}` needs `{other}`."),
            Self::NeedsUnlessOff(key, other) => format!("`{key}` needs `{other}`, unless it is `off`."),
            Self::Excludes(key, others) => format!("`{key}` cannot stand beside {}.", listed(others)),
        })
    }

    /// The relation as JSON Schemas, all of which hold.
    pub(super) fn schemas(self) -> Vec<Value> {
        let required = |key: &&str| json!({"required": [key]});
        match self {
            Self::ExactlyOne(keys) => vec![json!({"oneOf": keys.iter().map(required).collect::<Vec<_>>()})],
            Self::AtLeastOne([_]) => Vec::new(),
            Self::AtLeastOne(keys) => vec![json!({"anyOf": keys.iter().map(required).collect::<Vec<_>>()})],
            Self::AtMostOne(keys) => {
                let pairs = keys.iter().enumerate().flat_map(|(index, first)| {
                    keys[index + 1..].iter().map(move |second| json!({"not": {"required": [first, second]}}))
                });
                pairs.collect()
            }
            Self::Together(one, other) => vec![json!({"dependentRequired": {one: [other], other: [one]}})],
            Self::Needs(key, other) => vec![json!({"dependentRequired": {key: [other]}})],
            Self::NeedsUnlessOff(key, other) => vec![json!({
                "if": {"required": [key], "properties": {key: {"not": Shape::Off.schema()}}},
                "then": {"required": [other]},
            })],
            Self::Excludes(key, others) => {
                others.iter().map(|other| json!({"not": {"required": [key, other]}})).collect()
            }
        }
    }
}
