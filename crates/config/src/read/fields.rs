use super::{Reader, habits, listed, nearest};
use crate::{
    diagnostics::Span,
    syntax::{Entry, Kind, Node, shorten},
    vocabulary::{Rule, Section},
};

/// Where a key belongs that is often looked for elsewhere.
const HOMES: &[(&str, &str)] = &[
    ("api_key", "an authenticator of `auth`"),
    ("audiences", "the `jwt` or `introspect` of an authenticator"),
    ("basic", "an authenticator of `auth`"),
    ("connect_timeout", "an upstream, or to `defaults`"),
    ("idle_timeout", "a route, or to `defaults`"),
    ("introspect", "an authenticator of `auth`"),
    ("issuer", "the `jwt` or `introspect` of an authenticator"),
    ("jwks_file", "the `jwt` of an authenticator"),
    ("jwks_url", "the `jwt` of an authenticator"),
    ("jwt", "an authenticator of `auth`"),
    ("keep_alive", "an upstream"),
    ("keys_file", "the `api_key` of an authenticator"),
    ("listen", "the top of the file"),
    ("listeners", "the top of the file"),
    ("max_connections", "an upstream"),
    ("mtls", "an authenticator of `auth`"),
    ("path", "a route"),
    ("path_prefix", "a route"),
    ("proxy_protocol", "a listener"),
    ("redirect", "a route"),
    ("request_headers", "the `rewrite` of a route"),
    ("response_headers", "the `rewrite` of a route"),
    ("retries", "a route, or to `defaults`"),
    ("rewrite", "a route"),
    ("targets", "an upstream"),
    ("timeout", "a route, or to `defaults`"),
    ("tls", "a listener, or to an upstream"),
    ("upstream", "a route"),
    ("upstreams", "the top of the file"),
    ("workers", "the top of the file"),
];

/// The map of a section, checked for keys that are not its own.
pub(crate) struct Fields<'a> {
    section: &'static Section,
    span: Span,
    entries: &'a [Entry],
    /// What unknown keys were probably meant to be.
    meant: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Takes a node as the map of a section. Each key that cannot be read is reported.
    pub(crate) fn read(node: &'a Node, section: &'static Section, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Map(entries) => {
                let meant = entries.iter().filter_map(|entry| check_key(entry, section, reader)).collect();
                Some(Self { section, span: node.span, entries, meant })
            }
            Kind::Invalid => None,
            _ => {
                let message = format!("expected a map for {}, found {}", section.title, node.describe());
                let help = match key_without_space(node, section) {
                    Some(key) => format!("put a space after the colon: `{key}: …`"),
                    None => format!("its keys are {}", listed(section.names())),
                };
                reader.error(node.span, message).help(help);
                None
            }
        }
    }

    /// Where the map begins.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Every key that was written, and where.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&'a str, Span)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), entry.key_span))
    }

    /// The value of a key, when it was written.
    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// A key with its value, when it was written.
    pub(crate) fn entry(&self, key: &str) -> Option<&'a Entry> {
        debug_assert!(self.section.known(key).is_some(), "`{key}` is no key of {}", self.section.title);
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Whether an unknown key, which was reported, was probably meant to be one of these: then their absence
    /// is no error of its own.
    pub(crate) fn is_meant(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.meant.contains(key))
    }

    /// Holds the keys to the rules of the section, and says whether all are kept.
    pub(crate) fn keep_their_rules(&self, reader: &mut Reader<'_>) -> bool {
        let mut kept = true;
        for rule in self.section.rules {
            kept &= match *rule {
                Rule::Required(key) => self.has_one_of(&[key], reader),
                Rule::AtLeastOne(keys) => self.has_one_of(keys, reader),
                Rule::AtMostOne(keys) => self.has_no_two_of(keys, reader),
                Rule::ExactlyOne(keys) => self.has_one_of(keys, reader) && self.has_no_two_of(keys, reader),
                Rule::Together(one, other) => {
                    self.has_both(one, other, reader) && self.has_both(other, one, reader)
                }
                Rule::Needs(key, other) => self.has_both(key, other, reader),
                Rule::NeedsUnlessOff(key, other) => {
                    self.get(key).is_none_or(Reader::is_off) || self.has_both(key, other, reader)
                }
                Rule::Excludes(key, others) => self.goes_without(key, others, reader),
            };
        }
        kept
    }

    fn has_one_of(&self, keys: &[&str], reader: &mut Reader<'_>) -> bool {
        if keys.iter().any(|key| self.get(key).is_some()) {
            return true;
        }
        if !self.is_meant(keys) {
            let title = self.section.title;
            let message = match keys {
                [only] => format!("{title} needs `{only}`"),
                several => format!("{title} needs one of {}", listed(several.iter().copied())),
            };
            let example =
                keys.first().and_then(|first| self.section.keys.iter().find(|key| key.name == *first));
            let problem = reader.error(self.span, message);
            if let Some(key) = example {
                problem.help(format!("for example `{}: {}`", key.name, key.example));
            }
        }
        false
    }

    fn has_no_two_of(&self, keys: &[&str], reader: &mut Reader<'_>) -> bool {
        let mut written = keys.iter().filter_map(|key| self.entry(key));
        let Some(first) = written.next() else { return true };
        let mut kept = true;
        for second in written {
            let place = reader.place(first.key_span);
            reader
                .error(
                    second.key_span,
                    format!("both `{}` and `{}` in {}", first.key, second.key, self.section.title),
                )
                .related(place, format!("`{}` is here", first.key))
                .help("keep one of them");
            kept = false;
        }
        kept
    }

    fn has_both(&self, key: &str, other: &str, reader: &mut Reader<'_>) -> bool {
        let (Some(entry), None) = (self.entry(key), self.get(other)) else { return true };
        if !self.is_meant(&[other]) {
            reader.error(entry.key_span, format!("`{key}` needs `{other}`"));
        }
        false
    }

    fn goes_without(&self, key: &str, others: &[&str], reader: &mut Reader<'_>) -> bool {
        let Some(one) = self.entry(key) else { return true };
        let mut kept = true;
        for other in others.iter().filter_map(|other| self.entry(other)) {
            let place = reader.place(one.key_span);
            reader
                .error(other.key_span, format!("`{}` has no use beside `{key}`", other.key))
                .related(place, format!("`{key}` is here"));
            kept = false;
        }
        kept
    }

    /// The value of a key that has to be there.
    pub(crate) fn required(&self, key: &str, reader: &mut Reader<'_>) -> Option<&'a Node> {
        let value = self.get(key);
        if value.is_none() && !self.is_meant(&[key]) {
            reader.error(self.span, format!("{} needs `{key}`", self.section.title));
        }
        value
    }
}

/// A key with its colon and no space, which makes a text of it: `path:/v1`.
fn key_without_space(node: &Node, section: &'static Section) -> Option<&'static str> {
    let Kind::Scalar(text) = &node.kind else { return None };
    let (key, _) = text.split_once(':')?;
    section.names().find(|name| *name == key)
}

/// Keys that there were, and how it is said now.
const RENAMED: &[(&str, &str)] = &[(
    "allow_underscore",
    "write `header_names: pass` for `on` and `header_names: refuse` for `off`; without either, unusual names are dropped",
)];

/// Reports a key that cannot be read, and gives the one that was probably meant.
fn check_key(entry: &Entry, section: &'static Section, reader: &mut Reader<'_>) -> Option<&'static str> {
    let key = entry.key.as_str();
    if section.known(key).is_some() {
        return None;
    }
    let shown = shorten(key);
    if section.later.contains(&key) {
        reader
            .error(entry.key_span, format!("`{key}` is not supported by this version of gatewright"))
            .help("remove it: what is not supported is refused, never ignored");
        return None;
    }
    if key == "<<" {
        reader.error(entry.key_span, "YAML merge keys are not supported").help(
            "what all routes share goes under `defaults:`; write what some of them share to each of these",
        );
        return None;
    }
    if let Some((_, now)) = RENAMED.iter().find(|(name, _)| *name == key) {
        let message = format!("`{key}` is a key of earlier versions of gatewright");
        reader.error(entry.key_span, message).help(*now);
        return None;
    }
    let alias = section.aliases.iter().find(|(alias, _)| *alias == key).map(|(_, name)| *name);
    if let Some(name) = alias.filter(|name| section.later.contains(name)) {
        reader.error(entry.key_span, format!("`{key}` is not supported by this version of gatewright")).help(
            format!("remove it (here it will be `{name}`): what is not supported is refused, never ignored"),
        );
        return None;
    }
    let problem = reader.error(entry.key_span, format!("unknown key `{shown}` in {}", section.title));
    if let Some((help, meant)) = habits::find(section.name, key, &entry.value) {
        problem.help(help);
        return meant;
    }
    let known = section.names().chain(section.later.iter().copied());
    if let (Some((name, value)), Kind::Null) = (key.split_once(':'), &entry.value.kind) {
        problem.help(format!("put a space after the colon: `{}: {}`", shorten(name), shorten(value)));
        section.known(name)
    } else if let Some((_, home)) = HOMES.iter().find(|(name, _)| *name == key && alias.is_none()) {
        problem.help(format!("`{key}` belongs to {home}"));
        None
    } else if let Some(name) = alias.or_else(|| nearest(key, known)) {
        problem.help(format!("did you mean `{name}`?"));
        Some(name)
    } else {
        problem.help(format!("the keys here are {}", listed(section.names())));
        None
    }
}
