//! Errors of YAML's syntax, told as the mistake that is most likely behind them.

use granit_parser::{ErrorKind, ScanError};

use super::node::shorten;
use crate::diagnostics::{Diagnostic, Source, Span};

/// What was read before the error.
#[derive(Clone, Copy)]
pub(super) struct Before {
    /// The last node.
    pub(super) last: Option<Span>,
    /// The bracket or brace that is still open.
    pub(super) bracket: Option<Span>,
}

/// Explains why the text is not YAML.
pub(super) fn explain(source: &Source, error: &ScanError, before: Before) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or(source.text().len()).min(source.text().len());
    let mut here = Span::new(at, at);
    if let Some(value) = unquoted(source, error.kind(), at, before.last) {
        let text = shorten(source.slice(value));
        let mut problem =
            Diagnostic::error(Some(source.place(value)), format!("the value `{text}` has to be quoted"));
        problem
            .help(format!("YAML reads `{{` and `[` as the start of a map or a list: write {}", quote(&text)));
        return problem;
    }
    let (message, help): (String, &str) = match error.kind() {
        ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabNotAllowed
        | ErrorKind::TabInPlainScalar => {
            let tab = source.text().get(at..).and_then(|rest| rest.find('\t')).unwrap_or(0);
            here = Span::new(at + tab, at + tab);
            ("a tab stands where spaces have to".to_owned(), "YAML is indented with spaces alone")
        }
        ErrorKind::UnexpectedCharacter { character } => (
            format!("a value cannot begin with `{character}`"),
            "quote the value: `\"…\"`, or `'…'` where it holds backslashes",
        ),
        ErrorKind::UnclosedQuotedScalar => {
            ("this quote is not closed".to_owned(), "close it, or remove it when it is not meant")
        }
        ErrorKind::UnclosedFlowCollection { open } => (
            format!("this `{open}` is not closed"),
            "close it; a value that holds a bracket or a brace of its own is quoted",
        ),
        ErrorKind::UnknownQuotedScalarEscape => (
            "no such escape exists between double quotes".to_owned(),
            "write a backslash as `\\\\`, or use single quotes, where it is an ordinary character",
        ),
        ErrorKind::InvalidTrailingDoubleQuotedScalar | ErrorKind::InvalidTrailingSingleQuotedScalar => {
            ("something follows the closing quote".to_owned(), "put the quotes around the whole value")
        }
        ErrorKind::MappingValueNotAllowed if without_space(source, before.last).is_some() => {
            here = without_space(source, before.last).unwrap_or(here);
            (
                "a space is missing after a colon".to_owned(),
                "write `key: value`; without the space it is one word",
            )
        }
        ErrorKind::InvalidColonPlacement | ErrorKind::InvalidFlowScalarIndent if before.bracket.is_some() => {
            here = before.bracket.unwrap_or(here);
            ("this bracket is not closed".to_owned(), "close it at the end of the list or map that it begins")
        }
        ErrorKind::MappingValueNotAllowed => (
            "a second `key:` stands where a value was expected".to_owned(),
            "check the indentation of this line, and quote a value that holds `: `",
        ),
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::BlockSequenceEntryNotAllowed => (
            "this line does not continue what stands above it".to_owned(),
            "check its indentation: items of a list begin in one column, and so do the keys of a map",
        ),
        ErrorKind::RecursionLimitExceeded => {
            ("this is nested too deeply".to_owned(), "a configuration needs fewer than 32 levels")
        }
        ErrorKind::DirectiveDisallowed => {
            ("YAML directives are not supported".to_owned(), "remove the line that begins with `%`")
        }
        other => (format!("this is not valid YAML: {other}"), ""),
    };
    let mut problem = Diagnostic::error(Some(source.place(here)), message);
    if !help.is_empty() {
        problem.help(help);
    }
    problem
}

/// The value that flow style cannot hold bare, when the error is about one: `/a/{id}`, `${env:X}`, `[::]:8080`.
fn unquoted(source: &Source, kind: &ErrorKind, at: usize, last: Option<Span>) -> Option<Span> {
    let text = source.text();
    let last = last?;
    let (before, after) = (text.get(..at)?, text.get(at..)?);
    let separator =
        matches!(kind, ErrorKind::ExpectedFlowMappingSeparator | ErrorKind::ExpectedFlowSequenceSeparator);
    let touches = last.end == at && !last.is_empty();
    let opens = separator && touches && after.starts_with(['{', '[']);
    let closed = (separator || matches!(kind, ErrorKind::ExpectedBlockMappingKey))
        && touches
        && before.ends_with([']', '}'])
        && !after.starts_with(char::is_whitespace);
    if !opens && !closed {
        return None;
    }
    // To the end of the word: a comma, a blank or a bracket that the word did not open.
    let mut depth = 0usize;
    let mut end = at;
    for (offset, character) in after.char_indices() {
        match character {
            '{' | '[' => depth += 1,
            '}' | ']' if depth == 0 => break,
            '}' | ']' => depth -= 1,
            ',' if depth == 0 => break,
            _ if character.is_whitespace() => break,
            _ => {}
        }
        end = at + offset + character.len_utf8();
    }
    Some(Span::new(last.start, end))
}

/// The words before a line break when they are `key:value`, which YAML took for one word with what follows.
fn without_space(source: &Source, last: Option<Span>) -> Option<Span> {
    let last = last?;
    let (first, _) = source.slice(last).split_once('\n')?;
    first.contains(':').then(|| Span::new(last.start, last.start + first.trim_end().len()))
}

fn quote(text: &str) -> String {
    if text.contains('\\') { format!("`'{text}'`") } else { format!("`\"{text}\"`") }
}
