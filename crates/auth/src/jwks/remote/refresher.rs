//! The one task that keeps keys fresh.

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

/// Keys from afar. What keeps them fresh ends with it.
pub(crate) struct Remote {
    shared: Arc<Shared>,
}

struct Shared {
    /// For the log: where the keys come from.
    name: Box<str>,
    fetch: Box<dyn Fetch>,
    loaded: ArcSwapOption<Loaded>,
    /// What algorithms are allowed by those who use the keys.
    expected: Mutex<Vec<Weak<[Algorithm]>>>,
    schedule: Mutex<Schedule>,
    asked: Notify,
    /// How many fetches have ended, well or not.
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

    /// Tells the log, now and after each fetch, when no key verifies any of these algorithms.
    pub(crate) fn expect(&self, listed: &Arc<[Algorithm]>) {
        if let Some(loaded) = &*self.shared.loaded.load() {
            self.shared.tell_misfit(&loaded.keys, listed);
        }
        let mut expected = self.shared.expected.lock().unwrap_or_else(PoisonError::into_inner);
        expected.retain(|listed| listed.strong_count() > 0);
        expected.push(Arc::downgrade(listed));
    }

    pub(crate) fn generation(&self) -> Generation {
        self.keep_running();
        self.shared.loaded.load().as_ref().map_or(0, |loaded| loaded.generation)
    }

    /// The fetch that is under way, or one that begins; `None` when there has been one just now, or there
    /// is no runtime to fetch on.
    pub(crate) fn newer(&self) -> Option<Fetching> {
        self.keep_running();
        if !self.shared.runs.load(Ordering::Acquire) {
            return None;
        }
        let ended = self.shared.ended.subscribe();
        // Read before the claim, so that a fetch that ends meanwhile is not waited for.
        let before = *ended.borrow();
        match self.shared.schedule().ask(Instant::now()) {
            Asked::TooSoon => return None,
            Asked::Waits => {}
            Asked::Begins => self.shared.asked.notify_one(),
        }
        Some(Fetching { ended, before })
    }

    /// Begins to keep the keys fresh, when that is not done already and there is a runtime.
    pub(crate) fn keep_running(&self) {
        if self.shared.runs.load(Ordering::Acquire) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        if self.shared.runs.swap(true, Ordering::AcqRel) {
            return;
        }
        let running = Running(Arc::clone(&self.shared));
        let task = runtime.spawn(running.run());
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

/// The task. However it ends, nobody waits for it, and another may begin.
struct Running(Arc<Shared>);

impl Running {
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

impl Drop for Running {
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
                self.tell_misfits();
            }
            Err(why) => {
                let has_keys = self.loaded.load().is_some();
                self.schedule().failed(now);
                let meanwhile = if has_keys { "those before go on" } else { "there are none yet" };
                tracing::warn!(from = &*self.name, "keys cannot be fetched: {why}; {meanwhile}");
            }
        }
    }

    fn tell_misfits(&self) {
        let Some(loaded) = self.loaded.load_full() else { return };
        let expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = Vec::new();
        for listed in expected.iter().filter_map(Weak::upgrade) {
            // Several issuers may ask for the same.
            if !told.contains(&listed) {
                self.tell_misfit(&loaded.keys, &listed);
                told.push(listed);
            }
        }
    }

    fn tell_misfit(&self, keys: &KeySet, listed: &[Algorithm]) {
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
        keys.tell_doubts(&self.name);
        let generation = before.as_ref().map_or(1, |before| before.generation + 1);
        tracing::info!(from = &*self.name, keys = keys.len(), "keys fetched");
        self.loaded.store(Some(Arc::new(Loaded { keys, generation, text: fetched.text })));
        Ok(fetched.fresh)
    }
}

impl Fetching {
    /// Waits until the fetch has ended, well or not.
    pub(crate) async fn ended(mut self) {
        let before = self.before;
        // It fails when the keys are gone, and then there is nothing to wait for either.
        let _ = self.ended.wait_for(|ended| *ended > before).await;
    }
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote").field("from", &self.shared.name).finish_non_exhaustive()
    }
}
