use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use gatewright_core::{PolicyLayer, PolicyService};
use tower_layer::Layer;

use super::{ConcurrencyLimit, permits::Permits};
use crate::key::Key;

/// Bounds how many requests of a key are under way at once; one more is refused with 429.
///
/// 1. A request is under way from when it comes until its response's body has ended, has failed or is dropped; also
///    when the client goes away meanwhile.
/// 2. A connection that is upgraded (a WebSocket) counts until it ends, under our own server and under hyper's, when
///    Gatewright's proxy stands behind. Under hyper with another service behind, it counts until the answer to the
///    upgrade has been written.
/// 3. The state is shared by all services that the layer makes, and by their clones.
///
/// ```
/// use gatewright_rate_limit::{ConcurrencyLimitLayer, Key};
///
/// // By principal, or by client address where there is none.
/// let layer = ConcurrencyLimitLayer::new(10);
///
/// // One report at a time for each tenant.
/// let tenant = http::HeaderName::from_static("x-tenant");
/// let layer = ConcurrencyLimitLayer::new(1).key(Key::header(tenant).or_refuse());
/// ```
#[derive(Clone)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct ConcurrencyLimitLayer(pub(super) Settings);

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) key: Key,
    pub(super) permits: Arc<Permits>,
    pub(super) refused: Arc<AtomicU64>,
    pub(super) dry_run: bool,
}

impl ConcurrencyLimitLayer {
    /// At most so many requests of a caller at once: by principal, or by client address where there is none.
    pub fn new(most: u32) -> Self {
        Self(Settings {
            key: Key::principal_or_ip(),
            permits: Arc::new(Permits::new(most)),
            refused: Arc::default(),
            dry_run: false,
        })
    }

    /// Sets whose requests are counted together.
    pub fn key(mut self, key: Key) -> Self {
        self.0.key = key;
        self
    }

    /// Refuses nobody, and only counts whom it would have refused: in [`refused`](Self::refused), and in the
    /// request's record.
    pub fn dry_run(mut self) -> Self {
        self.0.dry_run = true;
        self
    }

    /// The policy by itself, for stacks assembled of optional policies. It shares its counts with this layer.
    pub fn into_policy(self) -> ConcurrencyLimit {
        ConcurrencyLimit::new(self.0)
    }

    /// How many requests have been refused, or would have been in a dry run.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }

    /// How many requests are under way.
    pub fn under_way(&self) -> usize {
        self.0.permits.under_way()
    }
}

impl fmt::Debug for ConcurrencyLimitLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimitLayer").field("key", &self.0.key).finish_non_exhaustive()
    }
}

impl<S> Layer<S> for ConcurrencyLimitLayer {
    type Service = PolicyService<ConcurrencyLimit, S>;

    fn layer(&self, inner: S) -> Self::Service {
        PolicyLayer::new(self.clone().into_policy()).layer(inner)
    }
}
