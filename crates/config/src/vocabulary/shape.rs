//! What a value may be.

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
                format!("a map from {} to {}", name.describe_several(), value.describe_several())
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
            Self::Regex => ("a regular expression", "regular expressions"),
            Self::Host | Self::HostPattern => ("a host name", "host names"),
            Self::Method => ("a method", "methods"),
            Self::HeaderName => ("the name of a header", "names of headers"),
            Self::File => ("a file", "files"),
            Self::Address => ("an IP address and a port", "IP addresses with ports"),
            Self::Network => ("a network", "networks"),
            Self::Target => ("`host:port`", "`host:port`"),
            Self::Upstream => ("a name of `upstreams`", "names"),
            Self::Limit => ("a name of `limits`", "names"),
            Self::Auth => ("a name of `auth`", "names"),
            Self::Scope => ("a scope", "scopes"),
            Self::Secret => ("`${env:NAME}` or `file:PATH`", "secrets"),
            Self::Url => ("a URL", "URLs"),
            Self::Uri => ("a URI", "URIs"),
            Self::Rate => ("a rate", "rates"),
            Self::LimitKey => ("a part of the key", "parts of the key"),
            Self::Duration => ("a duration", "durations"),
            Self::Size => ("a size", "sizes"),
            Self::Flag => ("`on`, `off`", "`on`, `off`"),
            Self::On => ("`on`", "`on`"),
            Self::Off => ("`off`", "`off`"),
            _ => ("a text", "texts"),
        }
    }

    /// The sections that it holds, itself and in its parts.
    pub(super) fn sections(self) -> Vec<&'static Section> {
        match self {
            Self::Map(section) => vec![section],
            Self::List(item) | Self::Items(item) | Self::Named(_, item) => item.sections(),
            Self::Any(shapes) => shapes.iter().flat_map(|shape| shape.sections()).collect(),
            _ => Vec::new(),
        }
    }
}

/// The plural of a section's title: `a list of addresses` is `lists of addresses`.
fn plural(title: &str) -> String {
    let title = title.trim_start_matches("an ").trim_start_matches("a ");
    let end = [" by ", " of "].iter().filter_map(|word| title.find(word)).min().unwrap_or(title.len());
    let (noun, rest) = title.split_at(end);
    format!("{noun}s{}", rest.replace("its name", "their names"))
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
