//! Names that stand in records: of routes, upstreams, endpoints and policies.

use std::{
    collections::HashMap,
    fmt,
    hash::{Hash, Hasher},
    ops::Deref,
    sync::{Arc, LazyLock, Mutex, PoisonError, Weak},
};

/// The name of a route, an upstream, an endpoint, a policy or a part of a composed answer, as records carry it.
///
/// A label is made when a configuration is loaded. Two labels of one kind and one name are the same label, also over a
/// reload, and [`index`](Self::index) numbers the labels of a kind from 0. So an
/// observer keeps what it counts in an array, and no request looks a name up. A clone costs one reference count.
///
/// A number is free again when the last clone of its label is gone, so an observer keeps a clone of the label beside
/// what it counts. Make labels of names in a configuration, never of text that a request brings.
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

/// All labels of the process.
static LABELS: LazyLock<Mutex<Labels>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Labels {
    known: HashMap<(LabelKind, Box<str>), Weak<Inner>>,
    numbers: HashMap<LabelKind, Numbers>,
}

/// The numbers of a kind: those below `next` that are not free are used.
#[derive(Default)]
struct Numbers {
    next: usize,
    free: Vec<usize>,
}

impl Label {
    /// The label of this kind and name.
    pub fn new(kind: LabelKind, name: &str) -> Self {
        let mut labels = LABELS.lock().unwrap_or_else(PoisonError::into_inner);
        let Labels { known, numbers } = &mut *labels;
        let entry = known.entry((kind, name.into())).or_default();
        if let Some(inner) = entry.upgrade() {
            return Self(inner);
        }
        let Numbers { next, free } = numbers.entry(kind).or_default();
        let index = free.pop().unwrap_or_else(|| {
            *next += 1;
            *next - 1
        });
        let inner = Arc::new(Inner { kind, name: name.into(), index });
        *entry = Arc::downgrade(&inner);
        Self(inner)
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

impl Drop for Inner {
    fn drop(&mut self) {
        let mut labels = LABELS.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (self.kind, std::mem::take(&mut self.name));
        // Somebody may have made the label anew meanwhile, with another number.
        if labels.known.get(&key).is_some_and(|label| std::ptr::eq(label.as_ptr(), self)) {
            labels.known.remove(&key);
        }
        labels.numbers.entry(self.kind).or_default().free.push(self.index);
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
        let many: Vec<_> = (0..100).map(|number| of(&format!("part {number}"))).collect();
        let mut numbers: Vec<_> = many.iter().map(Label::index).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), 100);
        assert_eq!(many[7], of("part 7"));
        assert_eq!(many[7].index(), of("part 7").index());
        assert_ne!(many[7], many[8]);
        drop(many);
        // Other tests make parts of their own meanwhile, though few.
        let again: Vec<_> = (0..100).map(|number| of(&format!("another part {number}"))).collect();
        assert!(again.iter().all(|label| label.index() < 120), "the numbers are used again");
        assert!(!LABELS.lock().unwrap().known.keys().any(|(_, name)| name.starts_with("part ")));
    }

    #[test]
    fn a_label_that_many_threads_make_and_drop_is_one_label_at_a_time() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let label = Label::new(LabelKind::Policy, "made by many");
                        assert_eq!(label, Label::new(LabelKind::Policy, "made by many"));
                    }
                });
            }
        });
    }
}
