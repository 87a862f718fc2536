use std::sync::{Arc, Weak, atomic::Ordering};

use super::Inner;

/// The permit of one open connection among those that may be. It does not keep the pool alive: a pool that is
/// dropped closes its connections, also while they are idle.
pub(super) struct ConnectionPermit<B>(Weak<Inner<B>>);

impl<B> ConnectionPermit<B> {
    /// Counts a connection that is about to be opened, unless there are as many as there may be.
    pub(super) fn reserve(pool: &Arc<Inner<B>>) -> Option<Self> {
        if pool.open.fetch_add(1, Ordering::Relaxed) >= pool.max_connections {
            pool.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self(Arc::downgrade(pool)))
    }

    /// The pool, while it is there.
    pub(super) fn pool(&self) -> Option<Arc<Inner<B>>> {
        self.0.upgrade()
    }
}

impl<B> Drop for ConnectionPermit<B> {
    fn drop(&mut self) {
        let Some(pool) = self.pool() else { return };
        pool.open.fetch_sub(1, Ordering::Relaxed);
        pool.tell_waiting();
    }
}
