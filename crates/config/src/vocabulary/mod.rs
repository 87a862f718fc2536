//! The keys of the file, each with what its value is, what it means and an example.
//!
//! The tables stand beside the code that reads them, in `settings`. A reader takes no key that is not in its table, and
//! the JSON Schema and the reference are made of the same tables; tests hold all of it together.

mod json;
mod reference;
mod schema;
mod shape;
#[cfg(test)]
mod tests;

pub use reference::reference;
pub use schema::schema;

#[cfg(test)]
pub(crate) use reference::sections;
pub(crate) use shape::Shape;

/// What a map of the file may hold.
#[derive(Debug)]
pub(crate) struct Section {
    /// What the map is, with its article, as errors name it.
    pub(crate) title: &'static str,
    /// What the schema calls it.
    pub(crate) name: &'static str,
    /// What it is for, in Markdown.
    pub(crate) about: &'static str,
    /// The keys that are read.
    pub(crate) keys: &'static [Key],
    /// Which of them go together.
    pub(crate) rules: &'static [Rule],
    /// A whole one, as short as it can be, in YAML.
    pub(crate) smallest: &'static str,
    /// The keys of the file's vocabulary that this version does not support.
    pub(crate) later: &'static [&'static str],
    /// What others call a key, and what it is called here.
    pub(crate) aliases: &'static [(&'static str, &'static str)],
}

/// A key of a [`Section`].
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// What it means, in Markdown.
    pub(crate) about: &'static str,
    /// A value, in YAML's flow style.
    pub(crate) example: &'static str,
    /// What holds when the key is left out, where that is worth a word.
    pub(crate) absent: Option<&'static str>,
}

/// Which keys of a section go together.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    Required(&'static str),
    ExactlyOne(&'static [&'static str]),
    AtMostOne(&'static [&'static str]),
    AtLeastOne(&'static [&'static str]),
    /// Each needs the other.
    Together(&'static str, &'static str),
    /// The first one needs the second.
    Needs(&'static str, &'static str),
    /// The first one needs the second, unless its value is `off`.
    NeedsUnlessOff(&'static str, &'static str),
    /// The first one has no use for the others.
    Excludes(&'static str, &'static [&'static str]),
}

impl Section {
    /// The names of the keys that are read.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.keys.iter().map(|key| key.name)
    }

    /// The name of the key that is called this.
    pub(crate) fn known(&self, name: &str) -> Option<&'static str> {
        self.names().find(|known| *known == name)
    }
}

impl Key {
    pub(crate) const fn new(
        name: &'static str,
        shape: Shape,
        about: &'static str,
        example: &'static str,
    ) -> Self {
        Self { name, shape, about, example, absent: None }
    }

    /// Says what holds when the key is left out.
    pub(crate) const fn absent(mut self, absent: &'static str) -> Self {
        self.absent = Some(absent);
        self
    }
}
