//! An observer of one's own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gatewright::{EndedRequest, Observer};

/// Remembers how long the longest request took. It is called by the task of each request, so it only touches an atomic.
#[derive(Debug, Clone, Default)]
pub(crate) struct Busiest(Arc<AtomicU64>);

impl Busiest {
    /// The longest request so far; `None` before the first.
    pub(crate) fn longest(&self) -> Option<Duration> {
        let nanos = self.0.load(Ordering::Relaxed);
        (nanos > 0).then(|| Duration::from_nanos(nanos))
    }
}

impl Observer for Busiest {
    fn request_ended(&self, request: &EndedRequest<'_>) {
        let nanos = u64::try_from(request.duration().as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_max(nanos, Ordering::Relaxed);
    }
}
