use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

/// How many bytes of request bodies may be held in memory at once, by all policies that share this budget.
///
/// A process has one budget, which all policies use unless they are given another one. Clones are the same budget.
#[derive(Clone)]
pub struct BufferBudget(Arc<Inner>);

struct Inner {
    limit: AtomicU64,
    held: AtomicU64,
}

/// The limit of the process's budget until somebody sets another one.
const DEFAULT: u64 = 256 << 20;

impl BufferBudget {
    /// A budget of so many bytes.
    pub fn new(limit: u64) -> Self {
        Self(Arc::new(Inner { limit: AtomicU64::new(limit), held: AtomicU64::new(0) }))
    }

    /// The budget of this process: 256 MiB, until [`set_limit`](Self::set_limit) says otherwise.
    pub fn of_process() -> Self {
        static PROCESS: OnceLock<BufferBudget> = OnceLock::new();
        PROCESS.get_or_init(|| Self::new(DEFAULT)).clone()
    }

    /// Changes the limit. Bodies that are held already stay.
    pub fn set_limit(&self, limit: u64) {
        self.0.limit.store(limit, Ordering::Relaxed);
    }

    /// The bytes that may be held.
    pub fn limit(&self) -> u64 {
        self.0.limit.load(Ordering::Relaxed)
    }

    /// The bytes that are held now.
    pub fn held(&self) -> u64 {
        self.0.held.load(Ordering::Relaxed)
    }

    /// A reservation of nothing, which grows by [`Reservation::grow`].
    pub(super) fn reserve(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }
}

impl fmt::Debug for BufferBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferBudget").field("limit", &self.limit()).field("held", &self.held()).finish()
    }
}

/// Bytes of a budget that are held. They are given back when it is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: BufferBudget,
    bytes: u64,
}

impl Reservation {
    /// Takes so many bytes more; false when the budget does not have them.
    pub(super) fn grow(&mut self, bytes: u64) -> bool {
        let limit = self.budget.limit();
        let grown = self.budget.0.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(bytes).filter(|held| *held <= limit)
        });
        if grown.is_ok() {
            self.bytes += bytes;
        }
        grown.is_ok()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
