//! What a value may be.

use std::fmt;

use super::Section;

/// What a value may be, as far as it can be told without the rest of the file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Any text.
    Text,
    /// A text that is a path of a URL.
    Path,
    /// A path, or what a capture puts in its place.
    NewPath,
    Regex,
    Host,
    /// A host, or all below it.
    HostPattern,
    Method,
    HeaderName,
    /// The name of a claim, which may lead into objects.
    Claim,
    /// The path of a file.
    File,
    /// An IP address and a port.
    Address,
    /// A network or an IP address.
    Network,
    /// A host and a port.
    Target,
    /// The name of an upstream.
    Upstream,
    /// The name of a limit.
    Limit,
    /// The name of an authenticator.
    Auth,
    /// A scope of OAuth 2.0.
    Scope,
    /// A secret, which stands elsewhere.
    Secret,
    /// The URL of a server.
    Url,
    /// Any URI.
    Uri,
    /// How many a period.
    Rate,
    /// A share, in percent.
    Share,
    /// What requests are counted by.
    LimitKey,
    Duration,
    Size,
    /// A whole number from the first to the second.
    Number(i64, i64),
    Flag,
    On,
    Off,
    /// One of a few words.
    Word(&'static [&'static str]),
    Map(&'static Section),
    /// A list, or one value that stands for a list of it.
    List(&'static Shape),
    /// A list, also when it is one of one.
    Items(&'static Shape),
    /// A map whose keys are names of the user's own.
    Named(&'static Shape, &'static Shape),
    /// Any of these.
    Any(&'static [Shape]),
}

impl Shape {
    /// What it is called where a reader of the reference meets it.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Number(i64::MIN..=-1, _) => "a whole number".to_owned(),
            Self::Number(least, most) => format!("a number from {least} to {most}"),
            Self::Map(section) => format!("[{}](#{})", section.title, anchor(section)),
            Self::List(item) | Self::Items(item) => format!("a list of {}", item.describe_several()),
            Self::Named(name, value) => {
                let names = match name {
                    Self::Upstream | Self::Limit | Self::Auth => "names".to_owned(),
                    _ => name.describe_several(),
                };
                format!("a map from {names} to {}", value.describe_several())
            }
            Self::Any(shapes) => alternatives(shapes.iter().map(|shape| shape.describe())),
            Self::Word(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
            _ => self.name().0.to_owned(),
        }
    }

    /// What several of it are called.
    fn describe_several(self) -> String {
        match self {
            Self::Map(section) => {
                format!("[{}](#{})", plural(section.title), anchor(section))
            }
            Self::Any(shapes) => alternatives(shapes.iter().map(|shape| shape.describe_several())),
            Self::Number(..) | Self::Word(_) | Self::List(_) | Self::Items(_) | Self::Named(..) => {
                self.describe()
            }
            _ => self.name().1.to_owned(),
        }
    }

    /// What one of it is called, and several.
    fn name(self) -> (&'static str, &'static str) {
        match self {
            Self::Path | Self::NewPath => ("a path", "paths"),
            Self::Claim => ("the name of a claim", "names of claims"),
            Self::Regex => ("a regular expression", "regular expressions"),
            Self::Host | Self::HostPattern => ("a host name", "host names"),
            Self::Method => ("a method", "methods"),
            Self::HeaderName => ("the name of a header", "names of headers"),
            Self::File => ("a file", "files"),
            Self::Address => ("an IP address and a port", "IP addresses with ports"),
            Self::Network => ("a network", "networks"),
            Self::Target => ("`host:port`", "`host:port`"),
            Self::Upstream => ("a name of `upstreams`", "names of `upstreams`"),
            Self::Limit => ("a name of `limits`", "names of `limits`"),
            Self::Auth => ("a name of `auth`", "names of `auth`"),
            Self::Scope => ("a scope", "scopes"),
            Self::Secret => ("`${env:NAME}` or `file:PATH`", "secrets"),
            Self::Url => ("a URL", "URLs"),
            Self::Uri => ("a URI", "URIs"),
            Self::Rate => ("a rate", "rates"),
            Self::LimitKey => ("a part of the key", "parts of the key"),
            Self::Duration => ("a duration", "durations"),
            Self::Size => ("a size", "sizes"),
            Self::Share => ("a share in percent", "shares in percent"),
            Self::Flag => ("`on`, `off`", "`on`, `off`"),
            Self::On => ("`on`", "`on`"),
            Self::Off => ("`off`", "`off`"),
            _ => ("a text", "texts"),
        }
    }

    /// The sections that it holds, itself and in its parts.
    pub(crate) fn sections(self) -> Vec<&'static Section> {
        match self {
            Self::Map(section) => vec![section],
            Self::List(item) | Self::Items(item) | Self::Named(_, item) => item.sections(),
            Self::Any(shapes) => shapes.iter().flat_map(|shape| shape.sections()).collect(),
            _ => Vec::new(),
        }
    }
}

/// What a value is called in an error.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&unlinked(&self.describe()))
    }
}

/// The plural of a section's title: `a list of addresses` is `lists of addresses`, and `an entry` is `entries`.
fn plural(title: &str) -> String {
    let title = title.strip_prefix("an ").or_else(|| title.strip_prefix("a ")).unwrap_or(title);
    let end = [" by ", " of "].iter().filter_map(|word| title.find(word)).min().unwrap_or(title.len());
    let (noun, rest) = title.split_at(end);
    let rest = rest.replace("its name", "their names");
    let is_vowel = |before: char| matches!(before, 'a' | 'e' | 'i' | 'o' | 'u');
    match noun.strip_suffix('y') {
        _ if noun.ends_with('`') => format!("maps of {noun}{rest}"),
        Some(stem) if !stem.ends_with(is_vowel) => format!("{stem}ies{rest}"),
        _ if noun.ends_with(['s', 'x', 'z']) || noun.ends_with("ch") || noun.ends_with("sh") => {
            format!("{noun}es{rest}")
        }
        _ => format!("{noun}s{rest}"),
    }
}

/// A description without its links.
fn unlinked(text: &str) -> String {
    let mut parts = text.split("](");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push_str(part.split_once(')').map_or(part, |(_, after)| after));
    }
    plain.replace('[', "")
}

/// `a`, `b` or `c`.
fn alternatives(described: impl Iterator<Item = String>) -> String {
    let described: Vec<_> = described.collect();
    match described.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The heading of a section in the reference, without its marks.
pub(super) fn heading(section: &Section) -> String {
    let mut letters = section.title.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Where a link to that heading leads.
pub(super) fn anchor(section: &Section) -> String {
    let word = |letter: char| match letter {
        ' ' => Some('-'),
        letter if letter.is_alphanumeric() || matches!(letter, '-' | '_') => Some(letter),
        _ => None,
    };
    section.title.to_lowercase().chars().filter_map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_have_plurals() {
        for (title, several) in [
            ("a route", "routes"),
            ("an upstream", "upstreams"),
            ("a list of addresses", "lists of addresses"),
            ("an address", "addresses"),
            ("a limit by its name", "limits by their names"),
            ("an entry", "entries"),
            ("a key", "keys"),
            ("`match`", "maps of `match`"),
        ] {
            assert_eq!(plural(title), several);
        }
    }

    #[test]
    fn errors_hold_no_links() {
        assert_eq!(unlinked("`a` or [routes](#a-route), [x](#y)"), "`a` or routes, x");
    }
}
