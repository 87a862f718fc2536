//! Buckets in Redis, shared between nodes.

mod builder;
mod link;
mod name;
mod refused;
mod script;

use std::{
    cell::Cell,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind};
use tokio::time;

pub use self::builder::{NotARedisUrl, RedisStoreBuilder};
pub(crate) use self::name::escape;
use self::{
    builder::Settings,
    link::{Connection, Link, Live, Server},
    refused::Refused,
};
use crate::{key::KeyBytes, limits::Limits, verdict::Verdict};

/// Buckets in Redis (or Valkey), one server or a cluster, shared by all nodes that use it.
///
/// 1. A decision is one call: a script that looks at all limits of a key by the server's clock, and takes from all of
///    them or from none.
/// 2. Calls of one thread share a connection and go out without waiting for each other. Nothing blocks a thread, and a
///    runtime of one thread suffices.
/// 3. When no answer comes within the timeout, the request is admitted, or refused with 503 when the store
///    [fails closed](RedisStoreBuilder::fail_closed). From then on requests do not wait: they are decided so at once, until
///    a task has connected again. It tries at least twice within the timeout where connections are refused, and once a
///    second where they lead nowhere.
/// 4. A key that was refused is known to have to wait, so that within that time Redis is not asked.
/// 5. Buckets expire by themselves when they are full. Redis must not evict others (`maxmemory-policy noeviction`
///    or a `volatile-` one with room enough), since an evicted bucket is a full one.
///
/// In a cluster a single node that is away is met request by request, each within the timeout: the others go on.
///
/// ```no_run
/// use std::time::Duration;
///
/// use gatewright_rate_limit::{Key, Quota, RateLimitLayer, RedisStore};
///
/// let store = RedisStore::builder("redis://127.0.0.1:6379").build()?;
/// let layer = RateLimitLayer::new(Quota::per_second(1000)).key(Key::route()).store(store);
///
/// // A cluster, and rather an error than a request too many.
/// let store = RedisStore::cluster(["redis://10.0.0.1:6379", "redis://10.0.0.2:6379"])
///     .timeout(Duration::from_millis(50))
///     .prefix("api")
///     .fail_closed()
///     .build()?;
/// let layer = RateLimitLayer::new(Quota::per_day(10_000)).key(Key::principal()).store(store);
/// # Ok::<(), gatewright_rate_limit::NotARedisUrl>(())
/// ```
#[derive(Clone)]
pub struct RedisStore(Arc<Inner>);

struct Inner {
    settings: Settings,
    links: Box<[Arc<Link>]>,
    refused: Option<Refused>,
    failures: AtomicU64,
    started: Instant,
    warned: AtomicU64,
}

/// The store gave no answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Undecided {
    admitted: bool,
}

impl Undecided {
    pub(crate) fn is_admitted(self) -> bool {
        self.admitted
    }
}

const WARNINGS_APART: Duration = Duration::from_secs(10);

/// Which of a store's links this thread uses. A connection belongs to the runtime that made it, so each worker has its
/// own.
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
    }
    NUMBER.get().unwrap_or_else(|| {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        NUMBER.set(Some(number));
        number
    })
}

impl RedisStore {
    /// Buckets on one server: `redis://[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]`, or `unix://PATH`.
    pub fn builder(url: impl Into<String>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(vec![url.into()], false)
    }

    /// Buckets in a cluster, of which some nodes are named. The others are found by them.
    pub fn cluster<T: Into<String>>(urls: impl IntoIterator<Item = T>) -> RedisStoreBuilder {
        RedisStoreBuilder::new(urls.into_iter().map(Into::into).collect(), true)
    }

    fn new(server: Server, settings: Settings) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from).clamp(1, 64);
        Self(Arc::new(Inner {
            links: (0..threads).map(|_| Link::new(server.clone(), settings.timeout)).collect(),
            refused: settings.local_check.then(Refused::new),
            failures: AtomicU64::new(0),
            started: Instant::now(),
            warned: AtomicU64::new(0),
            settings,
        }))
    }

    /// How many requests had no answer in time.
    pub fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    /// The answer, when it is known without asking.
    pub(crate) fn decide_here(&self, key: &KeyBytes, limits: &Limits, cost: u32) -> Option<Verdict> {
        self.0.refused.as_ref()?.look_up(key, limits, cost)
    }

    pub(crate) async fn decide(
        &self,
        key: &KeyBytes,
        limits: &Limits,
        cost: u32,
    ) -> Result<Verdict, Undecided> {
        let store = &*self.0;
        let names = name::names(&store.settings.prefix, key, limits);
        let link = &store.links[thread_number() % store.links.len()];
        let sent = Instant::now();
        let mut used = None;
        let answer = async {
            let live = link.get().await?;
            Some(live.ask(&mut used, &names, limits, cost).await)
        };
        match time::timeout(store.settings.timeout, answer).await {
            Ok(Some(Ok(verdict))) => {
                if let (false, Some(refused)) = (verdict.admitted, &store.refused) {
                    refused.remember(key, limits, cost, sent, &verdict);
                }
                return Ok(verdict);
            }
            Ok(Some(Err(error))) => {
                if let Some(live) = used.filter(|live| live.is_lost_by(&error)) {
                    link.lost(&live);
                }
                store.tell_of_failure(&error);
            }
            Ok(None) => store.tell_of_failure(&"not connected"),
            Err(_) => {
                if let Some(live) = used.filter(Live::is_lost_by_silence) {
                    link.lost(&live);
                }
                store.tell_of_failure(&"no answer in time");
            }
        }
        Err(Undecided { admitted: !store.settings.fail_closed })
    }
}

impl Live {
    async fn ask(
        self,
        used: &mut Option<Live>,
        names: &[String],
        limits: &Limits,
        cost: u32,
    ) -> RedisResult<Verdict> {
        *used = Some(self.clone());
        match self.connection {
            Connection::Single(mut connection) => script::call(&mut connection, names, limits, cost).await,
            Connection::Cluster(mut connection) => script::call(&mut connection, names, limits, cost).await,
        }
    }

    /// A cluster's connection finds its nodes again by itself, unless the task behind it is gone.
    fn is_lost_by(&self, error: &RedisError) -> bool {
        match self.connection {
            // A master that has become a replica takes no writes: its name may lead to the new one by now.
            Connection::Single(_) => {
                error.is_io_error()
                    || error.is_unrecoverable_error()
                    || error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
            }
            Connection::Cluster(_) => error.is_unrecoverable_error() && error.is_connection_dropped(),
        }
    }

    fn is_lost_by_silence(&self) -> bool {
        matches!(self.connection, Connection::Single(_))
    }
}

impl Inner {
    #[cold]
    fn tell_of_failure(&self, reason: &dyn fmt::Display) {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        let now = self.started.elapsed().as_secs();
        let due = self.warned.load(Ordering::Relaxed);
        let next = now + WARNINGS_APART.as_secs();
        if due <= now && self.warned.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let then = if self.settings.fail_closed { "refused" } else { "admitted" };
            tracing::warn!(failures, "Redis does not decide on rate limits ({reason}): requests are {then}");
        }
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("settings", &self.0.settings)
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
