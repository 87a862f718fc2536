use std::{fmt, sync::Arc};

use super::{Captures, PathPattern, PatternError, segment::check_name};

/// A path to be filled with what a pattern captured: `/internal/avatars/{id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    text: Arc<str>,
    pieces: Box<[Piece]>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(Box<str>),
    /// The value of the pattern's `n`th name.
    Capture(usize),
}

impl PathTemplate {
    /// Reads a template for what `pattern` captures.
    ///
    /// # Errors
    ///
    /// When the text is no template, or names what the pattern does not capture.
    pub fn parse(text: &str, pattern: &PathPattern) -> Result<Self, PatternError> {
        if !text.starts_with('/') {
            return Err(PatternError::new(text, 0..0, "start it with `/`"));
        }
        if let Some(at) = text.find(['?', '#']) {
            return Err(PatternError::new(
                text,
                at..text.len(),
                "a template is a path: the query is kept as it is",
            ));
        }
        let mut pieces = Vec::new();
        let mut at = 0;
        while let Some(brace) = text[at..].find(['{', '}']).map(|brace| at + brace) {
            if at < brace {
                pieces.push(Piece::Literal(text[at..brace].into()));
            }
            let end = text[brace..].find('}').map(|end| brace + end);
            let Some(end) = end.filter(|end| *end > brace) else {
                return Err(PatternError::new(text, brace..text.len(), "braces go in pairs, around a name"));
            };
            let name = &text[brace + 1..end];
            at = end + 1;
            let wrong = |hint: String| PatternError::new(text, brace..at, hint);
            if let Some(name) = name.strip_prefix('*') {
                return Err(wrong(format!("write `{{{name}}}` in a template")));
            }
            check_name(name).map_err(|hint| wrong(hint.to_owned()))?;
            let index = pattern.names().position(|known| known == name);
            pieces.push(Piece::Capture(index.ok_or_else(|| wrong(unknown(pattern)))?));
        }
        if at < text.len() {
            pieces.push(Piece::Literal(text[at..].into()));
        }
        Ok(Self { text: text.into(), pieces: pieces.into() })
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path, filled with what the pattern captured of `path`. It is not checked: see
    /// [`path::rewritten`](crate::path::rewritten).
    pub fn expand(&self, path: &str, captures: &Captures) -> String {
        let mut out = String::with_capacity(self.text.len() + path.len());
        for piece in &self.pieces {
            out.push_str(match piece {
                Piece::Literal(text) => text,
                Piece::Capture(index) => {
                    captures.get(*index).and_then(|place| path.get(place)).unwrap_or_default()
                }
            });
        }
        out
    }
}

fn unknown(pattern: &PathPattern) -> String {
    let names: Vec<_> = pattern.names().map(|name| format!("`{{{name}}}`")).collect();
    match &*names {
        [] => format!("the pattern `{pattern}` captures nothing"),
        names => format!("the pattern `{pattern}` captures {} only", names.join(", ")),
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
