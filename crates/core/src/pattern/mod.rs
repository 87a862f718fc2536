//! Patterns that match canonical paths, and templates that make new ones of what a pattern captured.
//!
//! 1. A pattern is a path whose segments are literal or `{name}`; `/v1/users/{id}/avatar` say. A name fills a whole
//!    segment and captures one that is not empty.
//! 2. The last segment may be `{*rest}`, which captures all that is left, slashes too, but not nothing.
//! 3. Literal segments are made canonical ([`path`](crate::path)) when the pattern is read. A slash at the end counts:
//!    `/a` does not match `/a/`.
//! 4. A template is a path with `{name}` anywhere in it. It is read against its pattern, so that a name which the
//!    pattern does not capture is found at once.
//!
//! ```
//! use gatewright_core::pattern::{PathPattern, PathTemplate};
//!
//! let pattern = PathPattern::parse("/v1/users/{id}/avatar")?;
//! let template = PathTemplate::parse("/internal/avatars/{id}", &pattern)?;
//!
//! let path = "/v1/users/42/avatar";
//! let captures = pattern.matches(path).unwrap();
//! assert_eq!(&path[captures.get(0).unwrap()], "42");
//! assert_eq!(template.expand(path, &captures), "/internal/avatars/42");
//! # Ok::<(), gatewright_core::pattern::PatternError>(())
//! ```

mod error;
mod segment;
mod template;
#[cfg(test)]
mod tests;

use std::{fmt, ops::Range, str::FromStr, sync::Arc};

use smallvec::SmallVec;

pub use error::PatternError;
pub use segment::Segment;
pub use template::PathTemplate;

/// A pattern that a whole path matches or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: Arc<str>,
    segments: Box<[Segment]>,
}

/// What a pattern captured: byte ranges of the path, in the order of the pattern's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captures(SmallVec<[Range<usize>; 4]>);

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// When the text is no pattern; the error says where, and how to mend it.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        Ok(Self { text: text.into(), segments: segment::parse(text)? })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its segments. The root is one empty segment, and so is what follows a slash at the end.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names that it captures, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::name)
    }

    /// Whether it captures nothing, so that it matches one path only.
    pub fn is_literal(&self) -> bool {
        self.names().next().is_none()
    }

    /// Matches a canonical path as a whole. Up to four captures need no allocation.
    pub fn matches(&self, path: &str) -> Option<Captures> {
        let mut captures = SmallVec::new();
        // Where the segment at hand starts; `None` when the path has no more.
        let mut start = path.starts_with('/').then_some(1);
        for segment in &self.segments {
            let from = start?;
            let end = path[from..].find('/').map_or(path.len(), |slash| from + slash);
            start = (end < path.len()).then_some(end + 1);
            match segment {
                Segment::Literal(literal) if path[from..end] == **literal => {}
                Segment::Name(_) if from < end => captures.push(from..end),
                Segment::Rest(_) if from < path.len() => {
                    captures.push(from..path.len());
                    start = None;
                }
                _ => return None,
            }
        }
        start.is_none().then_some(Captures(captures))
    }
}

impl Captures {
    /// Where the `index`th name's value stands in the path.
    pub fn get(&self, index: usize) -> Option<Range<usize>> {
        self.0.get(index).cloned()
    }

    /// Where the values stand in the path, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        self.0.iter().cloned()
    }
}

impl FromStr for PathPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::parse(text)
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
