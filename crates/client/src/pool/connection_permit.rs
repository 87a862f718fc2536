//! The count of open connections.

use std::sync::{Arc, Weak, atomic::Ordering};

use super::Inner;

/// Counts one open connection. It does not keep the pool alive, so that a pool that is dropped closes its idle
/// connections.
pub(super) struct ConnectionPermit<B>(Weak<Inner<B>>);

impl<B> ConnectionPermit<B> {
    /// Counts a connection that is about to be opened, unless the pool has as many as it may have.
    pub(super) fn reserve(pool: &Arc<Inner<B>>) -> Option<Self> {
        if pool.open.fetch_add(1, Ordering::Relaxed) >= pool.max_connections {
            pool.open.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        Some(Self(Arc::downgrade(pool)))
    }

    /// The pool, if it still exists.
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
