//! Environment variables in values: `${env:NAME}`.
//!
//! What else begins with `${` is an error wherever it stands, before any value is read: in free text nobody would miss it.
//! New paths alone may hold `${name}`, for a group of their regular expression.

use std::env::{self, VarError};

use super::Reader;
use crate::{
    diagnostics::Span,
    syntax::{Kind, Node, shorten},
};

impl Reader<'_> {
    /// Reports what begins with `${` and is no environment variable, in the whole tree. A value that holds it is not
    /// looked at further.
    pub(crate) fn check_variables(&mut self, root: &mut Node) {
        self.check_node(root, Place::Value);
    }

    fn check_node(&mut self, node: &mut Node, place: Place) {
        match &mut node.kind {
            Kind::Scalar(text) => {
                if let Some(wrong) = Wrong::first(text, place) {
                    wrong.report(node.span, self);
                    node.kind = Kind::Invalid;
                }
            }
            Kind::List(nodes) => nodes.iter_mut().for_each(|node| self.check_node(node, place)),
            Kind::Map(entries) => {
                for entry in entries {
                    if entry.key.contains("${") {
                        self.error(entry.key_span, "a key is not filled from the environment")
                            .help("write the key out; its value may be `\"${env:NAME}\"`");
                    }
                    let inner = place.inner(&entry.key);
                    self.check_node(&mut entry.value, inner);
                }
            }
            Kind::Null | Kind::Invalid => {}
        }
    }

    /// A text with the values of the environment variables that it names. `is_secret` says whether it may be written
    /// as `file:PATH` as well.
    pub(super) fn fill(&mut self, node: &Node, text: &str, is_secret: bool) -> Option<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("${") {
            filled.push_str(before);
            let inside = from.split_once('}');
            let Some((name, after)) =
                inside.and_then(|(inside, after)| Some((inside.strip_prefix("env:")?, after)))
            else {
                // A group of a regular expression.
                filled.push_str("${");
                rest = from;
                continue;
            };
            match env::var(name) {
                Ok(value) => filled.push_str(&value),
                Err(VarError::NotPresent) => {
                    let help = match is_secret {
                        true => "set it for the gateway's process, or read the secret from a file: `file:PATH`",
                        false => "set it for the gateway's process",
                    };
                    self.error(node.span, format!("the environment variable `{}` is not set", shorten(name)))
                        .help(help);
                    return None;
                }
                Err(VarError::NotUnicode(_)) => {
                    self.error(node.span, format!("the environment variable `{}` is not text", shorten(name)))
                        .help("set it to UTF-8 text");
                    return None;
                }
            }
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Value,
    /// In a `rewrite` or a `redirect`.
    Change,
    /// A new path, which may name groups.
    NewPath,
}

impl Place {
    /// That of the value of a key.
    fn inner(self, key: &str) -> Self {
        match (self, key) {
            (_, "rewrite" | "redirect") => Self::Change,
            (Self::Change, "path" | "prefix") => Self::NewPath,
            _ => Self::Value,
        }
    }
}

/// What begins with `${` and is no environment variable.
#[derive(Debug, PartialEq, Eq)]
struct Wrong<'a> {
    /// What stands between the braces; `None` where they are not closed.
    inside: Option<&'a str>,
}

impl<'a> Wrong<'a> {
    fn first(text: &'a str, place: Place) -> Option<Self> {
        let mut rest = text;
        while let Some((_, from)) = rest.split_once("${") {
            let Some((inside, after)) = from.split_once('}') else { return Some(Self { inside: None }) };
            let is_group = place == Place::NewPath && is_name(inside) && !is_variable(inside);
            // Groups have numbers as well.
            let is_number = place == Place::NewPath && inside.parse::<u32>().is_ok();
            let is_right = inside.strip_prefix("env:").is_some_and(is_name);
            if !(is_right || is_group || is_number) {
                return Some(Self { inside: Some(inside) });
            }
            rest = after;
        }
        None
    }

    fn report(&self, span: Span, reader: &mut Reader<'_>) {
        let Some(inside) = self.inside else {
            reader
                .error(span, "`${` is not closed")
                .help("an environment variable is written `\"${env:NAME}\"`");
            return;
        };
        // What stands before and behind it may be a secret, and so may a default.
        let bare = inside.trim();
        let name = without_source(bare);
        let end = name.find(|character| !is_of_name(character)).unwrap_or(name.len());
        let (name, behind) = name.split_at(end);
        if bare.starts_with("file:") {
            reader
                .error(span, "`${file:…}` does not say what it stands for")
                .help("a secret from a file is a whole value: `\"file:PATH\"`");
            return;
        }
        let name = if is_name(name) { name } else { "NAME" };
        let is_default = [":-", ":=", "-", "=", ":", "?", ":?"].iter().any(|start| behind.starts_with(start));
        if is_default && bare != name {
            let shown = &inside[..inside.len() - inside.trim_start().len() + bare.len() - behind.len()];
            reader
                .error(
                    span,
                    format!(
                        "`${{{}…}}`: there are no defaults; a name is letters, digits and `_`",
                        shorten(shown)
                    ),
                )
                .help(format!("write `\"${{env:{name}}}\"`, and set `{name}` for the gateway's process"));
            return;
        }
        reader
            .error(span, format!("`${{{}}}` does not say what it stands for", shorten(inside)))
            .help(format!("an environment variable is written `\"${{env:{name}}}\"`"));
    }
}

/// A name without the word before it that says that it is of the environment: `env:`, `ENV:`, `env.`.
fn without_source(text: &str) -> &str {
    match text.as_bytes() {
        [e, n, v, b':' | b'.' | b' ', ..] if [*e, *n, *v].eq_ignore_ascii_case(b"env") => {
            text[4..].trim_start()
        }
        _ => text,
    }
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// Whether this names an environment variable, or a group.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') && name.chars().all(is_of_name)
}

/// Whether a name is written as environment variables are.
fn is_variable(name: &str) -> bool {
    name.starts_with(|char: char| char.is_ascii_uppercase())
        && name.chars().all(|char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_')
}
