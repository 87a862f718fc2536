//! What a pool has done so far.

use std::sync::atomic::Ordering::Relaxed;

use super::{Pool, shard::Shard};

/// What a [`Pool`] has done since it was built, and what it holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Requests that found an open connection.
    pub hits: u64,
    /// Connections that were opened.
    pub connects: u64,
    /// Connections that could not be opened.
    pub connect_failures: u64,
    /// Requests that had to wait since all connections that the pool may have were in use.
    pub waits: u64,
    /// Requests that wait now.
    pub waiting: usize,
    /// Connections that are open or being opened.
    pub open: usize,
    /// HTTP/1 connections that wait for a request.
    pub idle: usize,
}

impl<B> Pool<B> {
    /// What it has done so far. It locks each thread's share for a moment, so it is for a scrape and not for a request.
    pub fn stats(&self) -> PoolStats {
        let pool = &self.inner;
        let (hits, idle) = pool
            .shards
            .iter()
            .map(Shard::hits_and_idle)
            .fold((0, 0), |(hits, idle), (more_hits, more_idle)| (hits + more_hits, idle + more_idle));
        PoolStats {
            hits,
            connects: pool.connects.load(Relaxed),
            connect_failures: pool.connect_failures.load(Relaxed),
            waits: pool.waits.load(Relaxed),
            waiting: pool.waiting.load(Relaxed),
            open: pool.open.load(Relaxed),
            idle,
        }
    }
}
