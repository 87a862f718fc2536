//! Regexes that match a whole path, and their literal prefixes.

use gatewright_core::path::{EncodedSlash, canonical};
use regex::bytes::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use regex_syntax::{
    ParserBuilder,
    hir::{Hir, HirKind, Look},
};

/// The regex of a route.
#[derive(Debug)]
pub(crate) struct PathRegex {
    text: String,
    prefix: String,
}

/// Regexes that are tried together.
#[derive(Debug)]
pub(crate) struct RegexGroup {
    set: RegexSet,
    routes: Box<[u32]>,
}

impl PathRegex {
    /// Parses a regex; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        whole(text)?;
        let prefix = literal_prefix(&syntax(text)?);
        if !prefix.is_empty() && !prefix.starts_with('/') {
            return Err(
                "a path starts with `/`, and so must the regex: it matches the path as a whole".to_owned()
            );
        }
        let regex = Self { text: text.to_owned(), prefix };
        match canonical(regex.directory(), EncodedSlash::Keep) {
            Ok(path) if path == regex.directory() && regex.prefix.is_ascii() => Ok(regex),
            Ok(path) if regex.prefix.is_ascii() => {
                Err(format!("paths are matched in their canonical form: begin it with `{path}`"))
            }
            _ => {
                Err("paths are matched in their canonical form: write in it what such a path can hold"
                    .to_owned())
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The literal start of every path that the regex matches.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The whole segments of the prefix: `/` for `/a`, `/a/` for `/a/b`.
    pub(crate) fn directory(&self) -> &str {
        self.prefix.rfind('/').map_or("/", |slash| &self.prefix[..=slash])
    }
}

impl RegexGroup {
    /// Fails when the regexes together are too large.
    pub(crate) fn new(regexes: &[(u32, &PathRegex)]) -> Result<Self, String> {
        let set = RegexSetBuilder::new(regexes.iter().map(|(_, regex)| anchored(&regex.text)))
            .unicode(false)
            // Each regex alone was held to the default limit already.
            .size_limit(usize::MAX)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { set, routes: regexes.iter().map(|(route, _)| *route).collect() })
    }

    /// The routes whose regex matches, in no particular order.
    pub(crate) fn matching(&self, path: &str) -> impl Iterator<Item = u32> {
        let (one, several) = match &*self.routes {
            [route] => (self.set.is_match(path.as_bytes()).then_some(*route), None),
            _ => (None, Some(self.set.matches(path.as_bytes()))),
        };
        one.into_iter().chain(several.into_iter().flatten().map(|index| self.routes[index]))
    }
}

/// A regex for whole values. Paths are ASCII and header values are bytes, so classes such as `\d` are ASCII's.
pub(crate) fn whole(text: &str) -> Result<Regex, String> {
    syntax(text)?;
    RegexBuilder::new(&anchored(text)).unicode(false).build().map_err(|error| error.to_string())
}

/// The syntax of the written regex, which must be valid alone: the group around it could change the meaning of invalid text.
fn syntax(text: &str) -> Result<Hir, String> {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(text);
    parsed.map_err(|error| error.to_string())
}

fn anchored(text: &str) -> String {
    format!("^(?:{text})$")
}

fn literal_prefix(regex: &Hir) -> String {
    let mut prefix = Vec::new();
    extend(&mut prefix, regex);
    // Only whole characters can be compared with a path.
    let valid = prefix.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    valid.to_owned()
}

/// Appends the literal start of `regex`. True if the regex is that text and nothing else.
fn extend(prefix: &mut Vec<u8>, regex: &Hir) -> bool {
    match regex.kind() {
        HirKind::Empty => true,
        HirKind::Look(Look::Start) => true,
        HirKind::Literal(literal) => {
            prefix.extend_from_slice(&literal.0);
            true
        }
        HirKind::Capture(capture) => extend(prefix, &capture.sub),
        HirKind::Concat(parts) => parts.iter().all(|part| extend(prefix, part)),
        _ => false,
    }
}
