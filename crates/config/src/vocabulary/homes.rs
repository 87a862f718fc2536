//! Where a key belongs that was written into another section.

use std::{collections::VecDeque, sync::OnceLock};

use super::{Key, Section, Shape};
use crate::settings::GATEWAY;

/// The sections that have a key, as an error names them: those nearest to the top of the file.
pub(crate) fn homes(key: &str) -> Option<String> {
    static PLACES: OnceLock<Vec<Place>> = OnceLock::new();
    let places = PLACES.get_or_init(places);
    let homes: Vec<_> = places.iter().filter(|place| place.section.known(key).is_some()).collect();
    let depth = homes.iter().map(|place| place.depth).min()?.max(1);
    let mut names: Vec<String> = Vec::new();
    for place in homes.into_iter().filter(|place| place.depth <= depth) {
        match (names.last_mut(), place.parent) {
            // Two maps of one parent share its name.
            (Some(last), Some(parent)) if is_key(place.section) && last.ends_with(&of(parent.section)) => {
                let end = last.len() - of(parent.section).len();
                last.insert_str(end, &format!(" or {}", place.section.title));
            }
            _ => names.push(place.name()),
        }
    }
    Some(names.join(", or to "))
}

/// Where a section is in the file.
#[derive(Clone, Copy)]
struct Place {
    section: &'static Section,
    depth: usize,
    parent: Option<Parent>,
}

/// The section and its key that hold another section.
#[derive(Clone, Copy)]
struct Parent {
    section: &'static Section,
    key: &'static Key,
    /// Whether no other key holds it.
    is_only: bool,
}

/// Every section with its shortest way from the top of the file.
fn places() -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let mut next = VecDeque::from([Place { section: GATEWAY, depth: 0, parent: None }]);
    while let Some(place) = next.pop_front() {
        if let Some(known) = places.iter_mut().find(|known| known.section.name == place.section.name) {
            known.parent.iter_mut().for_each(|parent| parent.is_only = false);
            continue;
        }
        for key in place.section.keys() {
            let parent = Some(Parent { section: place.section, key, is_only: true });
            let inner = key.shape.sections().into_iter();
            next.extend(inner.map(|section| Place { section, depth: place.depth + 1, parent }));
        }
        places.push(place);
    }
    places
}

impl Place {
    fn name(&self) -> String {
        let title = self.section.title;
        match self.parent {
            None => "the top of the file".to_owned(),
            Some(Parent { key, is_only: true, .. }) if matches!(key.shape, Shape::Named(..)) => {
                format!("{title} of `{}`", key.name)
            }
            Some(parent) if is_key(self.section) && parent.section.name != GATEWAY.name => {
                format!("the {title}{}", of(parent.section))
            }
            Some(_) => title.to_owned(),
        }
    }
}

/// Whether a section is called by its key alone.
fn is_key(section: &Section) -> bool {
    section.title.starts_with('`')
}

fn of(parent: &Section) -> String {
    format!(" of {}", parent.title)
}
