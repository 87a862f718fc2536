use std::{borrow::Cow, fmt::Write as _};

use gatewright_core::{
    path::{EncodedSlash, PathError, PathRules, canonical, rewritten},
    pattern::{PathPattern, PathTemplate},
};

use crate::{RewriteError, regex_rule::RegexRule};

/// A rule that makes a new path from a canonical path.
#[derive(Debug, Clone)]
pub(crate) enum PathRule {
    Whole(Box<str>),
    /// Neither text ends with a slash, so the root is the empty text.
    Prefix {
        from: Box<str>,
        to: Box<str>,
    },
    Pattern(PathPattern, PathTemplate),
    Regex(RegexRule),
}

impl PathRule {
    pub(crate) fn whole(path: &str) -> Self {
        Self::Whole(literal(path).into())
    }

    pub(crate) fn prefix(from: &str, to: &str) -> Self {
        let [from, to] = [from, to].map(|text| literal(text).trim_end_matches('/').into());
        Self::Prefix { from, to }
    }

    pub(crate) fn pattern(pattern: &str, template: &str) -> Result<Self, RewriteError> {
        let pattern = PathPattern::parse(pattern)?;
        let template = PathTemplate::parse(template, &pattern)?;
        Ok(Self::Pattern(pattern, template))
    }

    pub(crate) fn regex(regex: &str, replacement: &str) -> Result<Self, RewriteError> {
        Ok(Self::Regex(RegexRule::parse(regex, replacement)?))
    }

    /// The path that a canonical path becomes; `None` when the rule does not fit it.
    pub(crate) fn apply<'a>(&'a self, path: &str, rules: PathRules) -> Option<Result<Cow<'a, str>, PathError>> {
        let made = match self {
            // Some texts have no canonical form, so this path is checked too.
            Self::Whole(to) => return Some(rewritten(to, rules)),
            Self::Prefix { from, to } => {
                let rest =
                    path.strip_prefix(&**from).filter(|rest| rest.is_empty() || rest.starts_with('/'))?;
                if to.is_empty() && rest.is_empty() { "/".to_owned() } else { [to, rest].concat() }
            }
            Self::Pattern(pattern, template) => template.expand(path, &pattern.matches(path)?),
            Self::Regex(rule) => rule.apply(path)?,
        };
        Some(match rewritten(&made, rules) {
            Ok(path) if path == made => Ok(Cow::Owned(made)),
            Ok(path) => Ok(Cow::Owned(path.into_owned())),
            Err(error) => Err(error),
        })
    }
}

/// The canonical path that a text stands for. Bytes that a path may not hold are percent-encoded, so every text stands
/// for a path. The check after the rewrite refuses the paths that no request may have (with `\`, for example).
fn literal(text: &str) -> String {
    let mut path = String::with_capacity(text.len() + 1);
    if !text.starts_with('/') {
        path.push('/');
    }
    for (at, char) in text.char_indices() {
        let is_escape =
            || text.as_bytes()[at + 1..].iter().take(2).filter(|byte| byte.is_ascii_hexdigit()).count() == 2;
        match char {
            '?' | '#' | '\\' | '\0'..='\x1f' | '\x7f' => {
                let _ = write!(path, "%{:02X}", u32::from(char));
            }
            '%' if !is_escape() => path.push_str("%25"),
            _ => path.push(char),
        }
    }
    match canonical(&path, EncodedSlash::Keep) {
        Ok(canonical) => canonical.into_owned(),
        Err(_) => path,
    }
}
