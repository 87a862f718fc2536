use std::cell::OnceCell;

use crate::diagnostics::Span;

/// A node of the tree, and where it was written.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
    /// The text of a scalar once environment variables have been put in.
    pub(crate) filled: OnceCell<String>,
}

#[derive(Debug)]
pub(crate) enum Kind {
    /// Nothing was written, or `~` or `null`.
    Null,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// What stands there was reported already.
    Invalid,
}

/// A key of a map, with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

impl Node {
    pub(crate) fn new(span: Span, kind: Kind) -> Self {
        Self { span, kind, filled: OnceCell::new() }
    }

    /// What it is, for errors.
    pub(crate) fn describe(&self) -> String {
        match &self.kind {
            Kind::Null | Kind::Invalid => "nothing".to_owned(),
            Kind::Scalar(text) => format!("`{}`", shorten(text)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
        }
    }
}

/// A text for an error: its first line, and no more of it than one reads at a glance.
pub(crate) fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    let line = text.lines().next().unwrap_or_default();
    let mut short: String = line.chars().take(MOST).map(printable).collect();
    if line.chars().nth(MOST).is_some() || text.lines().nth(1).is_some() {
        short.push('…');
    }
    short
}

/// The character, or a space for what a terminal would obey: control characters, and those that turn the direction of
/// text, so that it reads other than it is.
pub(crate) fn printable(character: char) -> char {
    let turns = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if character.is_control() || turns { ' ' } else { character }
}
