use super::{Reader, Value, habits, listed, nearest};
use crate::{
    diagnostics::Span,
    syntax::{Entry, Kind, Node, shorten},
    vocabulary::{Relation, Rule, Section, homes},
};

/// The map of a section, held to its rules.
pub(crate) struct Fields<'a> {
    section: &'static Section,
    span: Span,
    entries: &'a [Entry],
    /// What unknown keys were probably meant to be.
    meant: Vec<&'static str>,
    is_whole: bool,
}

impl<'a> Fields<'a> {
    /// Takes a node as the map of a section. Each key that cannot be read is reported, and so is each rule that is broken.
    pub(crate) fn read(node: &'a Node, section: &'static Section, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Map(entries) => {
                let meant = entries.iter().filter_map(|entry| check_key(entry, section, reader)).collect();
                let mut fields = Self { section, span: node.span, entries, meant, is_whole: true };
                fields.is_whole = fields.keep_their_rules(reader);
                Some(fields)
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

    /// Whether the map has the keys that it needs, and none that cannot stand beside another one.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The value of a key: `None` when it is wrong, and was reported; `Some(None)` when the key is left out.
    pub(crate) fn optional<V: Value>(&self, key: &str, reader: &mut Reader<'_>) -> Option<Option<V::Kept>> {
        let Some(entry) = self.entry(key) else { return Some(None) };
        let known = reader.problems().len();
        let read = V::read_entry(entry, reader);
        if let Some(key) = self.section.key(key).filter(|_| reader.problems().len() > known) {
            let place = reader.place(entry.value.span);
            let problems = reader.problems().iter_mut().skip(known);
            for problem in problems.filter(|it| it.place() == Some(place) && it.hint().is_none()) {
                problem.help(format!("for example `{}: {}`", key.name, key.example));
            }
        }
        read.map(Some)
    }

    /// The value of a key that `defaults` has as well, where the type's default stands for a value that is wrong.
    pub(crate) fn shared<V: Value<Kept: Default>>(
        &self,
        key: &str,
        reader: &mut Reader<'_>,
    ) -> Option<V::Kept> {
        match self.optional::<V>(key, reader) {
            Some(None) => self.is_meant(&[key]).then(Default::default),
            read => Some(read.flatten().unwrap_or_default()),
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

    /// Holds the keys to the rules of the section, and says whether the map has neither too few nor too many of them.
    fn keep_their_rules(&self, reader: &mut Reader<'_>) -> bool {
        let mut kept = true;
        self.section.visit(&mut |key| {
            kept &= !key.is_required || self.has_one_of(&[key.name], "", reader);
        });
        // A key that was reported is not reported for another rule too.
        let mut surplus = Vec::new();
        for rule in self.section.rules {
            kept &= match rule.relation {
                Relation::AtLeastOne(keys) => self.has_one_of(keys, rule.missing, reader),
                Relation::AtMostOne(keys) => self.has_no_two_of(keys, rule, &mut surplus, reader),
                Relation::ExactlyOne(keys) => {
                    self.has_one_of(keys, rule.missing, reader)
                        && self.has_no_two_of(keys, rule, &mut surplus, reader)
                }
                Relation::Together(one, other) => {
                    self.has_both(one, other, rule, &surplus, reader)
                        && self.has_both(other, one, rule, &surplus, reader)
                }
                // The key is of no use alone, but what else the map says is known.
                Relation::NeedsUnlessOff(key, _) if self.get(key).is_some_and(Reader::is_off) => true,
                Relation::Needs(key, other) | Relation::NeedsUnlessOff(key, other) => {
                    self.has_both(key, other, rule, &surplus, reader);
                    true
                }
                Relation::Excludes(key, others) => {
                    let pairs = others.iter().map(|other| [key, *other]);
                    pairs.fold(true, |kept, pair| kept & self.has_no_two_of(&pair, rule, &mut surplus, reader))
                }
            };
        }
        kept
    }

    fn has_one_of(&self, keys: &[&str], help: &str, reader: &mut Reader<'_>) -> bool {
        if keys.iter().any(|key| self.get(key).is_some()) {
            return true;
        }
        if !self.is_meant(keys) {
            let title = self.section.title;
            let message = match keys {
                [only] => format!("{title} needs `{only}`"),
                several => format!("{title} needs one of {}", listed(several.iter().copied())),
            };
            let problem = reader.error(self.span, message);
            match keys.first().and_then(|first| self.section.key(first)) {
                Some(key) if help.is_empty() => {
                    problem.help(format!("for example `{}: {}`", key.name, key.example))
                }
                _ => problem.help(help),
            };
        }
        false
    }

    fn has_no_two_of<'k>(
        &self,
        keys: &[&'k str],
        rule: &Rule,
        surplus: &mut Vec<&'k str>,
        reader: &mut Reader<'_>,
    ) -> bool {
        let mut written = keys.iter().filter_map(|key| Some((*key, self.entry(key)?)));
        let Some((_, first)) = written.next() else { return true };
        let mut kept = true;
        for (key, second) in written {
            kept = false;
            if surplus.iter().any(|known| *known == key || *known == first.key) {
                continue;
            }
            surplus.push(key);
            let place = reader.place(first.key_span);
            let message = format!("both `{}` and `{key}` in {}", first.key, self.section.title);
            let note = format!("`{}` is here", first.key);
            reader.error(second.key_span, message).related(place, note).help(rule.surplus);
        }
        kept
    }

    fn has_both(&self, key: &str, other: &str, rule: &Rule, surplus: &[&str], reader: &mut Reader<'_>) -> bool {
        let (Some(entry), None) = (self.entry(key), self.get(other)) else { return true };
        if !self.is_meant(&[other]) && !surplus.contains(&key) {
            let problem = reader.error(entry.key_span, format!("`{key}` needs `{other}`"));
            match self.section.key(other) {
                Some(other) if rule.missing.is_empty() => {
                    problem.help(format!("for example `{}: {}`", other.name, other.example))
                }
                _ => problem.help(rule.missing),
            };
        }
        false
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
    let alias = section.alias(key);
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
    } else if let Some(home) = alias.is_none().then(|| homes(key)).flatten() {
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
