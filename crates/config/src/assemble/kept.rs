use std::{
    hash::{Hash, Hasher},
    sync::Arc,
};

/// What was built of an identity, is shared by its routes, and goes on over a reload.
pub(super) struct Kept<I, T> {
    pub(super) identity: Arc<I>,
    pub(super) built: T,
}

impl<I, T: Clone> Clone for Kept<I, T> {
    fn clone(&self) -> Self {
        Self { identity: Arc::clone(&self.identity), built: self.built.clone() }
    }
}

/// There is one of an identity, so the pointer tells: what files hold may be too long to compare for each route.
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
