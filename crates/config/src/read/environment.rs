//! Environment variables in values: `${env:NAME}`.

use std::env::{self, VarError};

use super::Reader;
use crate::syntax::{Node, shorten};

/// What becomes of a `${…}` that names no environment variable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Others {
    /// It is an error.
    Refuse,
    /// It is one when it looks as other programs write variables (`${PORT}`); else it stays, for the templates of rewrites
    /// have groups like that (`${name}`).
    RefuseVariables,
}

impl Reader<'_> {
    /// A text with the values of the environment variables that it names.
    pub(super) fn fill(&mut self, node: &Node, text: &str, others: Others) -> Option<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("${") {
            filled.push_str(before);
            let inside = from.split_once('}');
            let Some((name, after)) =
                inside.and_then(|(inside, after)| Some((inside.strip_prefix("env:")?, after)))
            else {
                if others == Others::RefuseVariables && !inside.is_some_and(|(name, _)| is_variable(name)) {
                    filled.push_str("${");
                    rest = from;
                    continue;
                }
                // What stands before and behind it may be a secret.
                let shown =
                    inside.map_or("${", |(inside, _)| &rest[before.len()..before.len() + inside.len() + 3]);
                let plain = |name: &&str| {
                    !name.is_empty() && name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
                };
                let name = inside.map(|(name, _)| name).filter(plain).unwrap_or("NAME");
                self.error(node.span, format!("`{}` does not say what it stands for", shorten(shown)))
                    .help(format!("an environment variable is written `\"${{env:{name}}}\"`"));
                return None;
            };
            match env::var(name) {
                Ok(value) => filled.push_str(&value),
                Err(VarError::NotPresent) => {
                    let help = match others {
                        Others::Refuse => {
                            "set it for the gateway's process, or read the secret from a file: `file:PATH`"
                        }
                        Others::RefuseVariables => "set it for the gateway's process",
                    };
                    self.error(node.span, format!("the environment variable `{}` is not set", shorten(name)))
                        .help(help);
                    return None;
                }
                Err(VarError::NotUnicode(_)) => {
                    self.error(node.span, format!("the environment variable `{}` is not text", shorten(name)));
                    return None;
                }
            }
            rest = after;
        }
        filled.push_str(rest);
        Some(filled)
    }
}

/// Whether a name is written as environment variables are.
fn is_variable(name: &str) -> bool {
    name.starts_with(|char: char| char.is_ascii_uppercase())
        && name.chars().all(|char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_')
}
