//! The keys of the file, each with its value, its meaning and an example.
//!
//! Each map of the file is declared once, beside the code that uses it in `settings`. The declaration ([`map!`](declare)) gives
//! the struct, the table of keys, and the reading. The reader takes no key that is not in a table, and the JSON Schema and the
//! reference are made of the same tables; tests compare all of them.

pub(crate) mod declare;
mod homes;
mod json;
mod reference;
mod rule;
mod schema;
mod shape;
#[cfg(test)]
mod tests;

pub use reference::reference;
pub use schema::schema;

pub(crate) use declare::{choice, group, long_form, map, settings};
pub(crate) use homes::homes;
#[cfg(test)]
pub(crate) use reference::sections;
pub(crate) use rule::{Relation, Rule};
pub(crate) use shape::Shape;

/// The lines of a doc comment: a Markdown text for the reference and the schema.
pub(crate) type Prose = &'static [&'static str];

/// What a map of the file may hold.
#[derive(Debug)]
pub(crate) struct Section {
    /// What errors call the map, with its article.
    pub(crate) title: &'static str,
    /// What the schema calls it.
    pub(crate) name: &'static str,
    /// What the map is for.
    pub(crate) about: Prose,
    /// The keys that are read. A section may hold itself, so that its keys are looked up when they are needed.
    pub(crate) table: fn() -> &'static Table,
    /// Which keys go together.
    pub(crate) rules: &'static [Rule],
    /// The shortest valid map, in YAML.
    pub(crate) smallest: &'static str,
    /// Planned keys, which this version does not support.
    pub(crate) later: &'static [&'static str],
    /// Names that other gateways have for a planned key, each with its name here.
    pub(crate) aliases: &'static [(&'static str, &'static str)],
}

/// Keys that are declared together, with the tables of other declarations before and after them.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) first: &'static [&'static Self],
    pub(crate) keys: &'static [Key],
    pub(crate) groups: &'static [&'static Self],
}

/// A key of a [`Section`].
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// What the key means.
    pub(crate) about: Prose,
    /// A value, in YAML's flow style.
    pub(crate) example: &'static str,
    /// What holds when the key is left out, where that is worth a word.
    pub(crate) absent: Option<&'static str>,
    pub(crate) is_required: bool,
    /// Whether `defaults` has the key too, and gives the value where others leave the key out.
    pub(crate) is_shared: bool,
    /// Names that other gateways have for the key.
    pub(crate) aliases: &'static [&'static str],
}

impl Table {
    fn find(&self, name: &str) -> Option<&'static Key> {
        let own = || self.keys.iter().find(|key| key.name == name);
        let mut others = self.first.iter().chain(self.groups);
        own().or_else(|| others.find_map(|table| table.find(name)))
    }

    fn visit(&self, visit: &mut impl FnMut(&'static Key)) {
        self.first.iter().for_each(|table| table.visit(visit));
        self.keys.iter().for_each(&mut *visit);
        self.groups.iter().for_each(|table| table.visit(visit));
    }
}

impl Section {
    /// The keys that are read, in the order of the reference.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static Key> + use<> {
        let mut keys = Vec::new();
        self.visit(&mut |key| keys.push(key));
        keys.into_iter()
    }

    /// Shows each key that is read.
    pub(crate) fn visit(&self, visit: &mut impl FnMut(&'static Key)) {
        (self.table)().visit(visit);
    }

    /// The names of the keys that are read.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.keys().map(|key| key.name)
    }

    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        (self.table)().find(name)
    }

    /// The key, also a planned one, that other gateways call by this name.
    pub(crate) fn alias(&self, name: &str) -> Option<&'static str> {
        let planned = self.aliases.iter().find(|(alias, _)| *alias == name).map(|(_, planned)| *planned);
        planned.or_else(|| self.keys().find(|key| key.aliases.contains(&name)).map(|key| key.name))
    }

    /// The name of the key that is called this.
    pub(crate) fn known(&self, name: &str) -> Option<&'static str> {
        self.key(name).map(|key| key.name)
    }
}

impl Section {
    /// Whether a map of the section has to have a key.
    fn requires(&self, key: &Key) -> bool {
        let is_only = |rule: &Rule| matches!(rule.relation, Relation::AtLeastOne([only]) if *only == key.name);
        key.is_required || self.rules.iter().any(is_only)
    }
}

impl Key {
    /// What holds in a section when the key is left out.
    fn absent_in(&self, section: &Section) -> Option<String> {
        let absent = self.absent?;
        let inherits = self.is_shared && section.name != crate::settings::DEFAULTS.name;
        Some(if inherits { format!("as in `defaults`, or else {absent}") } else { absent.to_owned() })
    }
}

/// The text of a doc comment: an empty line begins a paragraph.
fn prose(lines: Prose) -> String {
    let paragraphs = lines.split(|line| line.trim().is_empty());
    let paragraphs = paragraphs.map(|lines| lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
