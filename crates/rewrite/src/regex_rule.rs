use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::RewriteError;

/// A regex that matches a whole path, and a template for the path to make from its captures.
#[derive(Debug, Clone)]
pub(crate) struct RegexRule {
    regex: Regex,
    pieces: Box<[Piece]>,
}

#[derive(Debug, Clone)]
enum Piece {
    Literal(Box<str>),
    Group(usize),
}

impl RegexRule {
    pub(crate) fn parse(regex: &str, replacement: &str) -> Result<Self, RewriteError> {
        let compile = |text: &str| {
            // Paths are ASCII, so classes such as `\d` are ASCII's.
            let compiled = RegexBuilder::new(text).unicode(false).build();
            compiled.map_err(|error| RewriteError::new(regex, error.to_string()))
        };
        // The regex must be valid alone: the group around it could turn invalid text such as `a)(b` into a regex.
        compile(regex)?;
        let whole = compile(&format!("^(?:{regex})$"))?;
        let pieces = parse_replacement(replacement, &whole)?;
        Ok(Self { regex: whole, pieces })
    }

    pub(crate) fn apply(&self, path: &str) -> Option<String> {
        let captures = self.regex.captures(path.as_bytes())?;
        let mut out = String::with_capacity(path.len());
        for piece in &self.pieces {
            out.push_str(match piece {
                Piece::Literal(text) => text,
                Piece::Group(group) => text_of(&captures, *group, path),
            });
        }
        Some(out)
    }
}

/// The text that a group captured; empty if the group took no part in the match.
fn text_of<'a>(captures: &Captures<'_>, group: usize, path: &'a str) -> &'a str {
    captures.get(group).and_then(|found| path.get(found.range())).unwrap_or_default()
}

/// Reads `$1`, `${1}`, `${name}` and `$$`.
fn parse_replacement(text: &str, regex: &Regex) -> Result<Box<[Piece]>, RewriteError> {
    let wrong = |hint: String| RewriteError::new(text, hint);
    if !text.starts_with(['/', '$']) {
        return Err(wrong("start it with `/`".to_owned()));
    }
    if text.contains(['?', '#']) {
        return Err(wrong("it is a path: the query is kept as it is".to_owned()));
    }
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        literal.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        if let Some(after) = after.strip_prefix('$') {
            literal.push('$');
            rest = after;
            continue;
        }
        let (name, after) = match after.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            Some(braced) => braced,
            None => after.split_at(after.bytes().take_while(u8::is_ascii_digit).count()),
        };
        if name.is_empty() {
            return Err(wrong("write `$1` or `${name}` for a group, `$$` for a dollar sign".to_owned()));
        }
        let group = match name.parse() {
            Ok(group) => Some(group).filter(|group| *group < regex.captures_len()),
            Err(_) => regex.capture_names().position(|known| known == Some(name)),
        };
        let group = group.ok_or_else(|| wrong(unknown(name, regex)))?;
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
        }
        pieces.push(Piece::Group(group));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    Ok(pieces.into())
}

fn unknown(name: &str, regex: &Regex) -> String {
    match regex.captures_len() - 1 {
        0 => format!("there is no group `{name}`: the regex has none"),
        1 => format!("there is no group `{name}`: the regex has one, `$1`"),
        groups => format!("there is no group `{name}`: the regex has {groups}, `$1` to `${groups}`"),
    }
}
