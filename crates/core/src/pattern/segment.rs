use super::PatternError;
use crate::path::{EncodedSlash, canonical};

/// One segment of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "who walks a pattern has to know all kinds of segments")]
pub enum Segment {
    /// A segment that is this text, in canonical form.
    Literal(Box<str>),
    /// `{name}`: any one segment that is not empty.
    Name(Box<str>),
    /// `{*name}`: all that is left, which is not nothing.
    Rest(Box<str>),
}

impl Segment {
    /// The name under which it captures; `None` for a literal one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Name(name) | Self::Rest(name) => Some(name),
        }
    }
}

pub(super) fn parse(text: &str) -> Result<Box<[Segment]>, PatternError> {
    let Some(body) = text.strip_prefix('/') else {
        return Err(PatternError::new(text, 0..0, "start it with `/`"));
    };
    let mut segments = Vec::<Segment>::new();
    let mut start = 1;
    for part in body.split('/') {
        let here = start..start + part.len();
        let is_last = here.end == text.len();
        start = here.end + 1;
        if part.is_empty() && !is_last {
            return Err(PatternError::new(
                text,
                here,
                "remove the second slash: paths are matched with slashes merged",
            ));
        }
        let segment = parse_one(part).map_err(|hint| PatternError::new(text, here.clone(), hint))?;
        if matches!(segment, Segment::Rest(_)) && !is_last {
            return Err(PatternError::new(
                text,
                here,
                "`{*name}` takes all that is left: make it the last segment",
            ));
        }
        if let Some(name) = segment.name()
            && segments.iter().any(|earlier| earlier.name() == Some(name))
        {
            return Err(PatternError::new(text, here, "give the second one another name"));
        }
        segments.push(segment);
    }
    Ok(segments.into())
}

fn parse_one(part: &str) -> Result<Segment, &'static str> {
    if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        let (name, is_rest) = match name.strip_prefix('*') {
            Some(name) => (name, true),
            None => (name, false),
        };
        check_name(name)?;
        return Ok(if is_rest { Segment::Rest(name.into()) } else { Segment::Name(name.into()) });
    }
    if part.contains(['{', '}']) {
        return Err(
            "a name fills a whole segment: write `{name}` between two slashes, or `%7B` for a literal brace",
        );
    }
    literal(part).map(Segment::Literal)
}

/// Names are what a template can hold between braces.
pub(super) fn check_name(name: &str) -> Result<(), &'static str> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    match name {
        "" => Err("write a name between the braces"),
        _ if !name.bytes().all(fits) => Err("use letters, digits, `_` and `-` in the name"),
        _ => Ok(()),
    }
}

fn literal(part: &str) -> Result<Box<str>, &'static str> {
    let path = format!("/{part}");
    match canonical(&path, EncodedSlash::Keep) {
        // A dot segment is gone in the canonical form, and would have taken the segment before it along.
        Ok(path) if part.is_empty() || path.len() > 1 => Ok(path[1..].into()),
        Ok(_) => Err("write the path without `.` and `..`: paths are matched with dot segments resolved"),
        Err(crate::path::PathError::Query) => Err("match the query apart from the path"),
        Err(crate::path::PathError::BadEscape) => Err("write `%25` for a literal `%`"),
        Err(_) => Err("remove what no request's path may hold: `\\`, `#`, control characters, `..;`"),
    }
}
