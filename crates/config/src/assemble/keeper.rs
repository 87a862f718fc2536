use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
    sync::Arc,
};

use super::Changes;

/// Values by their identity, each built once and shared. A value whose identity the configuration before had too goes on,
/// with all its state.
pub(super) struct Keeper<I, T> {
    now: HashMap<Arc<I>, T>,
    before: HashMap<Arc<I>, T>,
    /// How many there were before.
    were: usize,
    taken_over: usize,
}

/// A value that was built, with its identity.
pub(super) struct Kept<I, T> {
    pub(super) identity: Arc<I>,
    pub(super) built: T,
}

impl<I: Eq + Hash, T: Clone> Keeper<I, T> {
    /// A keeper that takes over from this one. It has nothing yet.
    pub(super) fn following(before: Option<&Self>) -> Self {
        let before = before.map(|before| before.now.clone()).unwrap_or_default();
        Self { now: HashMap::new(), were: before.len(), before, taken_over: 0 }
    }

    /// The value of this identity, built when there is none now and was none before. `None` when it cannot be built.
    pub(super) fn get(&mut self, identity: I, build: impl FnOnce(&I) -> Option<T>) -> Option<Kept<I, T>> {
        if let Some((identity, built)) = self.now.get_key_value(&identity) {
            return Some(Kept { identity: Arc::clone(identity), built: built.clone() });
        }
        let kept = match self.before.get_key_value(&identity) {
            Some((identity, built)) => {
                self.taken_over += 1;
                Kept { identity: Arc::clone(identity), built: built.clone() }
            }
            None => {
                let built = build(&identity)?;
                Kept { identity: Arc::new(identity), built }
            }
        };
        self.now.insert(Arc::clone(&kept.identity), kept.built.clone());
        Some(kept)
    }

    /// Takes over those values of before that are still used by something which was taken over whole.
    pub(super) fn keep(&mut self, is_used: impl Fn(&I) -> bool) {
        for (identity, built) in self.before.iter().filter(|(identity, _)| is_used(identity)) {
            if self.now.insert(Arc::clone(identity), built.clone()).is_none() {
                self.taken_over += 1;
            }
        }
    }

    /// The values that the configuration uses.
    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        self.now.values()
    }

    /// Forgets the values of before, so that those which nothing uses any longer can end.
    pub(super) fn settle(&mut self) {
        self.before = HashMap::new();
    }

    /// How the values differ from those of before.
    pub(super) fn changes(&self) -> Changes {
        Changes::new(self.were, self.taken_over, self.now.len())
    }
}

impl<I, T: Clone> Clone for Kept<I, T> {
    fn clone(&self) -> Self {
        Self { identity: Arc::clone(&self.identity), built: self.built.clone() }
    }
}

/// There is one value of an identity, so the pointer tells: an identity may hold the contents of files, which are too long
/// to compare for each route.
impl<I, T> PartialEq for Kept<I, T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.identity, &other.identity)
    }
}

impl<I, T> Eq for Kept<I, T> {}

impl<I, T> Hash for Kept<I, T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.identity).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_the_same_identity_is_shared_and_goes_on() {
        let mut first = Keeper::following(None);
        let mut built = 0;
        for identity in ["a", "b", "a"] {
            let kept = first.get(identity, |_| {
                built += 1;
                Some(Arc::new(identity))
            });
            assert_eq!(*kept.expect("is built").built, identity);
        }
        assert!(first.get("c", |_| None).is_none());
        first.settle();
        assert_eq!((built, first.values().count()), (2, 2));

        let mut second = Keeper::following(Some(&first));
        let before = first.get("a", |_| None).expect("is there");
        let after = second.get("a", |_| None).expect("is taken over");
        assert!(before == after && Arc::ptr_eq(&before.built, &after.built));
        second.get("d", |_| Some(Arc::new("d"))).expect("is built");
        second.settle();
        assert!(second.get("b", |_| None).is_none(), "what nobody uses is gone");
        assert_eq!(second.changes(), Changes::new(2, 1, 2));
        let mut third = Keeper::following(Some(&second));
        third.keep(|identity| *identity == "d");
        assert_eq!(third.values().count(), 1);
    }
}
