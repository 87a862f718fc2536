//! Problems in files of keys and passwords.

use std::{error::Error, fmt};

/// All problems in the content of a keys file or a password file, in the order of its lines.
///
/// `Display` prints each problem with its position and, if there is one, the way to fix it. It prints no secret and
/// no hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentError(Vec<ContentProblem>);

/// One problem in the content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentProblem {
    position: Position,
    message: String,
    help: String,
}

/// A position in a file. Both numbers count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// The number of problems that are printed at most.
const SHOWN: usize = 50;

impl ContentError {
    /// The problems.
    pub fn problems(&self) -> &[ContentProblem] {
        &self.0
    }
}

impl ContentProblem {
    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.position.line
    }

    /// The column in characters, counted from 1.
    pub fn column(&self) -> usize {
        self.position.column
    }

    /// The problem, in a sentence without a full stop.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The way to fix it. Empty if there is nothing to say.
    pub fn help(&self) -> &str {
        &self.help
    }
}

/// Collects problems.
#[derive(Default)]
pub(crate) struct Problems(Vec<ContentProblem>);

impl Problems {
    pub(crate) fn add(&mut self, position: Position, message: impl Into<String>, help: impl Into<String>) {
        self.0.push(ContentProblem { position, message: message.into(), help: help.into() });
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
        self.0.sort_by_key(|problem| problem.position);
        Err(ContentError(self.0))
    }
}

/// The prefix of every API key that this crate makes.
pub(crate) const KEY_PREFIX: &str = "gw_";

/// Whether the text may contain an API key.
pub(crate) fn may_hold_key(text: &str) -> bool {
    text.contains(KEY_PREFIX)
}

/// A text of the file as a problem may show it: short, plain, and certainly not a key.
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
        write!(f, "{}:{}: {}", self.position.line, self.position.column, self.message)?;
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
