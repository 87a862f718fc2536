//! What is wrong with files of keys and passwords.

use std::{error::Error, fmt};

/// All that is wrong with the content of a keys file or a password file, in the order of its lines.
///
/// `Display` prints each with its place and, where there is one, the way to mend it. It shows no secret and no hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentError(Vec<ContentProblem>);

/// One thing that is wrong with the content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentProblem {
    place: Place,
    message: String,
    help: String,
}

/// A place in a file; both count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// How many are printed.
const SHOWN: usize = 50;

impl ContentError {
    /// Each one.
    pub fn problems(&self) -> &[ContentProblem] {
        &self.0
    }
}

impl ContentProblem {
    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.place.line
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.place.column
    }

    /// What is wrong, in a sentence without a full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to mend it; empty when there is nothing to say.
    pub fn help(&self) -> &str {
        &self.help
    }
}

/// Gathers what is wrong.
#[derive(Default)]
pub(crate) struct Problems(Vec<ContentProblem>);

impl Problems {
    pub(crate) fn add(&mut self, place: Place, message: impl Into<String>, help: impl Into<String>) {
        self.0.push(ContentProblem { place, message: message.into(), help: help.into() });
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn finish(mut self) -> Result<(), ContentError> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.sort_by_key(|problem| problem.place);
        Err(ContentError(self.0))
    }
}

/// What every API key of ours begins with.
pub(crate) const KEY_PREFIX: &str = "gw_";

/// Whether there may be an API key in this text.
pub(crate) fn may_hold_key(text: &str) -> bool {
    text.contains(KEY_PREFIX)
}

/// A text of the file as a problem may show it: short, plain, and none that could be a key.
pub(crate) fn shown(text: &str) -> String {
    const MOST: usize = 32;
    let plain = |c: char| c.is_alphanumeric() || " ._:/@+-".contains(c);
    if text.chars().nth(MOST).is_none() && text.chars().all(plain) && !may_hold_key(text) {
        format!("`{text}`")
    } else {
        "this text".to_owned()
    }
}

impl fmt::Display for ContentProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.place.line, self.place.column, self.message)?;
        if !self.help.is_empty() {
            write!(f, "\n  help: {}", self.help)?;
        }
        Ok(())
    }
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().take(SHOWN).enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        match self.0.len().checked_sub(SHOWN) {
            None | Some(0) => Ok(()),
            Some(more) => write!(f, "\nand {more} more"),
        }
    }
}

impl Error for ContentError {}
