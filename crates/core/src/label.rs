//! Names that stand in records: of routes, upstreams, endpoints and policies.

use std::{
    collections::HashMap,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::{Arc, Mutex, PoisonError},
};

/// The name of a route, an upstream, an endpoint, a policy or a part of a composed answer, as records carry it.
///
/// A label is made when a configuration is loaded. Two labels of one kind and one name are the same label, also over a
/// reload, and [`index`](Self::index) numbers the labels of a kind from 0. So an
/// observer keeps what it counts in an array, and no request looks a name up. A clone costs one reference count.
///
/// The process keeps each label for as long as it runs: make labels of names in a configuration, never of text that
/// a request brings.
///
/// ```
/// use gatewright_core::{Label, LabelKind};
///
/// let orders = Label::new(LabelKind::Route, "orders");
/// assert_eq!(orders, Label::new(LabelKind::Route, "orders"));
/// assert_ne!(orders, Label::new(LabelKind::Upstream, "orders"));
/// assert_eq!(&*orders, "orders");
/// ```
#[derive(Clone)]
pub struct Label(Arc<Inner>);

struct Inner {
    kind: LabelKind,
    name: Box<str>,
    index: usize,
}

/// What a [`Label`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LabelKind {
    /// A route of a router.
    Route,
    /// An upstream: a service behind the gateway.
    Upstream,
    /// An endpoint of an upstream, as `host:port`.
    Endpoint,
    /// A policy.
    Policy,
    /// A part of a composed answer.
    Part,
}

/// All labels of the process, by their kind and name.
static LABELS: Mutex<Option<Labels>> = Mutex::new(None);

#[derive(Default)]
struct Labels {
    known: HashMap<(LabelKind, Box<str>), Label>,
    /// How many labels each kind has.
    counts: HashMap<LabelKind, usize>,
}

impl Label {
    /// The label of this kind and name.
    pub fn new(kind: LabelKind, name: &str) -> Self {
        let mut labels = LABELS.lock().unwrap_or_else(PoisonError::into_inner);
        let Labels { known, counts } = labels.get_or_insert_default();
        let label = known.entry((kind, name.into())).or_insert_with(|| {
            let count = counts.entry(kind).or_default();
            let index = *count;
            *count += 1;
            Self(Arc::new(Inner { kind, name: name.into(), index }))
        });
        label.clone()
    }

    /// What it names.
    pub fn kind(&self) -> LabelKind {
        self.0.kind
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0.name
    }

    /// The number of the label among those of its kind, from 0.
    pub fn index(&self) -> usize {
        self.0.index
    }
}

impl Deref for Label {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

/// There is one label of a kind and a name, so the pointer tells.
impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Label {}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.0.kind, self.0.index).hash(state);
    }
}

impl fmt::Debug for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Label").field(&self.0.kind).field(&self.as_str()).finish()
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_a_kind_are_numbered_without_gaps_and_the_same_name_is_the_same_label() {
        let of = |name: &str| Label::new(LabelKind::Part, name);
        let (first, second, again) = (of("a part"), of("another part"), of("a part"));
        assert_eq!(first, again);
        assert_eq!(first.index(), again.index());
        assert_ne!(first, second);
        let mut indices: Vec<_> = (0..100).map(|number| of(&format!("part {number}")).index()).collect();
        indices.extend([first.index(), second.index()]);
        indices.sort_unstable();
        assert_eq!(indices, (0..102).collect::<Vec<_>>());
    }
}
