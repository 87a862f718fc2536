//! The task that keeps keys fresh.
//!
//! Invariants:
//!
//! 1. At most one task runs. `runs` is set before it is spawned and cleared by its destructor, so it is cleared
//!    however the task ends: it returns, it panics, it is aborted, or its runtime ends.
//! 2. Only the task fetches and replaces keys. A request claims a fetch in the schedule, wakes the task, and waits.
//! 3. `ended` grows once for each fetch that ends and once when the task ends. A request reads it before it claims,
//!    and waits until it has grown, so it misses no end and never waits for ever.
//! 4. Keys are replaced as a whole, by a set that was read without error. A fetch that fails or brings a bad set
//!    changes nothing.
//! 5. The generation grows with each change of the text, and only then. A remembered token is valid for one
//!    generation.
//! 6. No lock is held across a fetch. A lock that a request takes is held only to compare times.
//! 7. The task holds the shared state, but not `Remote`. Dropping the last `Remote` aborts the task.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use tokio::{
    runtime::Handle,
    sync::{Notify, watch},
    task::AbortHandle,
    time::{Instant, timeout_at},
};

use super::{
    fetch::{Fetch, Fetched},
    schedule::{Asked, Schedule},
};
use crate::{
    jwks::{Generation, KeyError, KeySet, jwk::Origin},
    jwt::Algorithm,
};

/// Remote keys. The task that keeps them fresh ends with this value.
pub(crate) struct Remote {
    shared: Arc<Shared>,
}

struct Shared {
    /// The name in the log: the source of the keys.
    name: Box<str>,
    fetch: Box<dyn Fetch>,
    loaded: ArcSwapOption<Loaded>,
    /// The algorithms that users of the keys allow.
    expected: Mutex<Vec<Weak<[Algorithm]>>>,
    schedule: Mutex<Schedule>,
    asked: Notify,
    /// The number of fetches that have ended, successfully or not.
    ended: watch::Sender<u64>,
    runs: AtomicBool,
    task: Mutex<Option<AbortHandle>>,
}

struct Loaded {
    keys: Arc<KeySet>,
    generation: Generation,
    text: Bytes,
}

/// A fetch that is under way.
pub(crate) struct Fetching {
    ended: watch::Receiver<u64>,
    before: u64,
}

impl Remote {
    pub(super) fn new(name: &str, fetch: impl Fetch + 'static) -> Self {
        Self {
            shared: Arc::new(Shared {
                name: name.into(),
                fetch: Box::new(fetch),
                loaded: ArcSwapOption::empty(),
                expected: Mutex::default(),
                schedule: Mutex::new(Schedule::new(Instant::now())),
                asked: Notify::new(),
                ended: watch::Sender::new(0),
                runs: AtomicBool::new(false),
                task: Mutex::default(),
            }),
        }
    }

    pub(crate) fn load(&self) -> Option<(Arc<KeySet>, Generation)> {
        self.keep_running();
        self.shared.loaded.load().as_ref().map(|loaded| (Arc::clone(&loaded.keys), loaded.generation))
    }

    /// Logs, now and after each fetch, that no key verifies any of these algorithms.
    pub(crate) fn expect(&self, listed: &Arc<[Algorithm]>) {
        if let Some(loaded) = &*self.shared.loaded.load() {
            self.shared.log_misfit(&loaded.keys, listed);
        }
        let mut expected = self.shared.expected.lock().unwrap_or_else(PoisonError::into_inner);
        expected.retain(|listed| listed.strong_count() > 0);
        expected.push(Arc::downgrade(listed));
    }

    pub(crate) fn generation(&self) -> Generation {
        self.keep_running();
        self.shared.loaded.load().as_ref().map_or(0, |loaded| loaded.generation)
    }

    /// The fetch that is under way, or one that begins now. `None` if another fetch began too recently, or no
    /// runtime can run it.
    pub(crate) fn newer(&self) -> Option<Fetching> {
        self.keep_running();
        if !self.shared.runs.load(Ordering::Acquire) {
            return None;
        }
        let ended = self.shared.ended.subscribe();
        // Read before the claim, so that the end of this fetch is not missed.
        let before = *ended.borrow();
        match self.shared.schedule().ask(Instant::now()) {
            Asked::TooSoon => return None,
            Asked::Waits => {}
            Asked::Begins => self.shared.asked.notify_one(),
        }
        Some(Fetching { ended, before })
    }

    /// Starts the task, unless it runs already or there is no runtime.
    pub(crate) fn keep_running(&self) {
        if self.shared.runs.load(Ordering::Acquire) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        if self.shared.runs.swap(true, Ordering::AcqRel) {
            return;
        }
        let task = RefreshTask(Arc::clone(&self.shared));
        let task = runtime.spawn(task.run());
        *self.shared.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task.abort_handle());
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(task) = self.shared.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

/// The task. Its destructor wakes all who wait and lets another task begin.
struct RefreshTask(Arc<Shared>);

impl RefreshTask {
    async fn run(self) {
        let shared = &*self.0;
        loop {
            let due = shared.schedule().due;
            let _ = timeout_at(due, shared.asked.notified()).await;
            if shared.schedule().begin(Instant::now()) {
                shared.refresh().await;
                shared.ended.send_modify(|ended| *ended += 1);
            }
        }
    }
}

impl Drop for RefreshTask {
    fn drop(&mut self) {
        self.0.schedule().abandon(Instant::now());
        self.0.runs.store(false, Ordering::Release);
        self.0.ended.send_modify(|ended| *ended += 1);
    }
}

impl Shared {
    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn refresh(&self) {
        let taken = match self.fetch.fetch().await {
            Ok(fetched) => self.take(fetched).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let now = Instant::now();
        match taken {
            Ok(fresh) => {
                self.schedule().succeeded(now, fresh);
                self.log_misfits();
            }
            Err(why) => {
                let has_keys = self.loaded.load().is_some();
                self.schedule().failed(now);
                let meanwhile = if has_keys { "the last keys stay in use" } else { "there are no keys yet" };
                tracing::warn!(from = &*self.name, "keys cannot be fetched: {why}; {meanwhile}");
            }
        }
    }

    fn log_misfits(&self) {
        let Some(loaded) = self.loaded.load_full() else { return };
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = Vec::new();
        for listed in expected.iter().filter_map(Weak::upgrade) {
            // Several issuers may have the same list.
            if !told.contains(&listed) {
                self.log_misfit(&loaded.keys, &listed);
                told.push(listed);
            }
        }
    }

    fn log_misfit(&self, keys: &KeySet, listed: &[Algorithm]) {
        if let Some(why) = keys.misfit(listed) {
            let remedy =
                "every token is refused: list the algorithm that the issuer signs with under `algorithms`";
            tracing::warn!(from = &*self.name, "no key {why}; {remedy}");
        }
    }

    fn take(&self, fetched: Fetched) -> Result<std::time::Duration, KeyError> {
        let before = self.loaded.load();
        if before.as_ref().is_some_and(|before| before.text == fetched.text) {
            return Ok(fetched.fresh);
        }
        let keys = Arc::new(KeySet::read(&fetched.text, Origin::Remote)?);
        keys.log_doubts(&self.name);
        let generation = before.as_ref().map_or(1, |before| before.generation + 1);
        tracing::info!(from = &*self.name, keys = keys.len(), "keys fetched");
        self.loaded.store(Some(Arc::new(Loaded { keys, generation, text: fetched.text })));
        Ok(fetched.fresh)
    }
}

impl Fetching {
    /// Waits until the fetch has ended, successfully or not.
    pub(crate) async fn ended(mut self) {
        let before = self.before;
        // This fails when the keys are gone; then there is nothing to wait for.
        let _ = self.ended.wait_for(|ended| *ended > before).await;
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("from", &self.shared.name).finish_non_exhaustive()
    }
}
