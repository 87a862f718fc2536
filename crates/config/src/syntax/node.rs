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

impl Node {
    /// The entries of a map; none of anything else.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key, where it is a map that has it.
    pub(crate) fn value(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// A list as one writes it on one line; `[…]` for one that is long, or holds more than plain words.
    pub(crate) fn on_one_line(&self) -> String {
        const MOST: usize = 4;
        let words = match &self.kind {
            Kind::List(nodes) if nodes.len() <= MOST => nodes.iter().map(Self::plain_word).collect(),
            _ => None,
        };
        let words: Vec<_> = words.filter(|words: &Vec<_>| !words.is_empty()).unwrap_or(vec!["…"]);
        format!("[{}]", words.join(", "))
    }

    /// A scalar that YAML takes for itself wherever it stands.
    pub(crate) fn plain_word(&self) -> Option<&str> {
        let Kind::Scalar(text) = &self.kind else { return None };
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'/');
        let ends_plainly = text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/')
            && !text.ends_with(':');
        (ends_plainly && text.bytes().all(is_plain) && text.len() <= 60).then_some(text)
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
