//! Lists of maps.

use std::fmt::Display;

use super::Reader;
use crate::{
    diagnostics::Spanned,
    syntax::{Entry, Kind, Node, shorten},
    vocabulary::Section,
};

/// An item of a list of maps.
pub(crate) struct Item<'n> {
    pub(crate) node: &'n Node,
    /// What it was called where names led to maps.
    pub(crate) name: Option<Spanned<String>>,
}

impl<'n> Item<'n> {
    pub(crate) fn of(node: &'n Node) -> Self {
        Self { node, name: None }
    }
}

impl Reader<'_> {
    /// The items of a list, each a map of this section or its short form; one that is no list stands for a list of it.
    ///
    /// Names that lead to maps, as other gateways have them, are reported, and the maps are the items nevertheless.
    pub(crate) fn items<'n>(
        &mut self,
        list: &'n Entry,
        what: impl Display,
        section: &Section,
    ) -> Vec<Item<'n>> {
        let Some(entries) = named(&list.value, section) else {
            return self.list(&list.value, what).iter().map(Item::of).collect();
        };
        let first = entries.first().map(|entry| as_item(entry, section)).unwrap_or_default();
        self.error(list.value.span, format!("expected {what}, found a map"))
            .help(format!("`{}` is a list: `- {{{first}}}`", list.key));
        let item = |entry: &'n Entry| {
            let name = Spanned::new(entry.key.clone(), entry.key_span);
            Item { node: &entry.value, name: Some(name) }
        };
        entries.iter().map(item).collect()
    }
}

/// The entries of a map from names to maps, which is no map of the section itself.
fn named<'n>(node: &'n Node, section: &Section) -> Option<&'n [Entry]> {
    let entries = node.entries();
    let is_named =
        |entry: &Entry| matches!(entry.value.kind, Kind::Map(_)) && section.known(&entry.key).is_none();
    (!entries.is_empty() && entries.iter().all(is_named)).then_some(entries)
}

/// How an entry begins as an item of a list.
fn as_item(entry: &Entry, section: &Section) -> String {
    let name = section.known("name").map(|name| format!("{name}: {}", shorten(&entry.key)));
    let first = entry.value.entries().iter().find(|inner| inner.key != "name");
    let first = first.map(|inner| format!("{}: …", shorten(&inner.key)));
    name.into_iter().chain(first).collect::<Vec<_>>().join(", ")
}
