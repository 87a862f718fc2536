use std::{
    collections::HashSet,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use gatewright_trace::Metrics;
use tokio::sync::Semaphore;

use crate::{AdminBuilder, AdminService, Live, Reload, View, reloads::Reloads};

/// How many clients may follow the events at once.
const FOLLOWERS: usize = 16;

/// How many may read the metrics at once, most of whom wait.
const SCRAPERS: usize = 4;

/// The administration of a stack: what it counts, what it shows, whether it is ready. Clones are one and the same.
#[derive(Clone)]
pub struct Admin(Arc<Inner>);

struct Inner {
    live: Live,
    hosts: Vec<String>,
    view: ArcSwap<View>,
    reloads: Reloads,
    draining: AtomicBool,
    followers: Arc<Semaphore>,
    metrics: Option<Metrics>,
    scrapers: Semaphore,
}

impl Admin {
    /// Starts with what fits a loopback address.
    pub fn builder() -> AdminBuilder {
        AdminBuilder::new()
    }

    pub(crate) fn new(builder: AdminBuilder) -> Self {
        Self(Arc::new(Inner {
            live: Live::new(builder.slow),
            hosts: builder.hosts,
            view: ArcSwap::default(),
            reloads: Reloads::default(),
            draining: AtomicBool::new(false),
            followers: Arc::new(Semaphore::new(FOLLOWERS)),
            metrics: builder.metrics,
            scrapers: Semaphore::new(SCRAPERS),
        }))
    }

    /// What counts the requests: to be added to the `TraceLayer` of the stack.
    pub fn observer(&self) -> Live {
        self.0.live.clone()
    }

    /// Shows this from now on. The counts of routes and upstreams that are not in it are forgotten.
    pub fn show(&self, view: View) {
        let routes: HashSet<_> = view.routes.iter().map(|route| route.label.clone()).collect();
        let upstreams: HashSet<_> = view.upstreams.iter().map(|upstream| upstream.name().clone()).collect();
        self.0.view.store(Arc::new(view));
        self.0.live.retain(&routes, &upstreams);
    }

    /// Adds a reload to the history.
    pub fn note_reload(&self, reload: Reload) {
        self.0.reloads.note(reload);
    }

    /// Says that the stack drains: `/readyz` is 503 from now on.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the stack serves, and does not drain.
    pub fn is_ready(&self) -> bool {
        !self.0.draining.load(Ordering::Relaxed)
    }

    /// The service that answers. Any server can serve it, and axum's `Router::nest_service` or `fallback_service` mounts it.
    pub fn into_service(self) -> AdminService {
        AdminService::new(self)
    }

    pub(crate) fn live(&self) -> &Live {
        &self.0.live
    }

    pub(crate) fn hosts(&self) -> &[String] {
        &self.0.hosts
    }

    pub(crate) fn view(&self) -> Arc<View> {
        self.0.view.load_full()
    }

    pub(crate) fn reloads(&self) -> &Reloads {
        &self.0.reloads
    }

    pub(crate) fn metrics(&self) -> Option<&Metrics> {
        self.0.metrics.as_ref()
    }

    pub(crate) fn scrapers(&self) -> &Semaphore {
        &self.0.scrapers
    }

    pub(crate) fn followers(&self) -> &Arc<Semaphore> {
        &self.0.followers
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("ready", &self.is_ready()).finish_non_exhaustive()
    }
}
