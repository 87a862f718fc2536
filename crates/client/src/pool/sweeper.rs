//! Closes idle connections in time.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use super::Inner;

/// Sweeps one shard. When it ends early, because its runtime has ended for example, it tells the shard.
struct Sweeper<B>(Weak<Inner<B>>, usize);

impl<B> Drop for Sweeper<B> {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.shards[self.1].unswept();
        }
    }
}

/// Starts the task that closes a shard's idle connections in time. The task ends when none are left.
pub(super) fn start<B: Send + 'static>(pool: &Arc<Inner<B>>, shard: usize) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        pool.shards[shard].unswept();
        return;
    };
    let keep_alive = pool.keep_alive;
    let sweeper = Sweeper(Arc::downgrade(pool), shard);
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(keep_alive.min(Duration::from_secs(1))).await;
            match sweeper.0.upgrade() {
                Some(pool) if pool.shards[sweeper.1].sweep(keep_alive) => {}
                // Nothing is left, so the next connection that is put back starts a sweeper of its own.
                _ => break std::mem::forget(sweeper),
            }
        }
    });
}
