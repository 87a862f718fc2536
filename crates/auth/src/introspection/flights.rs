//! Questions in flight: each token is asked about once at a time.
//!
//! Invariants:
//!
//! 1. The map has at most one cell for a token. All requests that join while it is there share it.
//! 2. At most one request of a cell asks. If that request is dropped before the answer, the next one in line asks.
//! 3. A cell leaves the map when it has an answer and one of its requests goes, or when its last request goes. The
//!    map therefore never outgrows the requests that wait.
//! 4. A request removes its own cell only, never a newer cell of the same token.
//! 5. An answer is remembered by the caller before it is shared, so a request that comes after the cell has gone
//!    finds it there.
//! 6. No lock is held while a question is under way.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::OnceCell;

use crate::digest::{ByDigest, Digest};

/// Questions in flight, by the token that they are about.
///
/// The lock is taken when a token is asked about, never for a remembered token.
#[derive(Debug)]
pub(super) struct Flights<T>(Mutex<HashMap<Digest, Arc<OnceCell<T>>, ByDigest>>);

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Flights<T> {
    /// Returns the answer of the first request that asks. When that request goes away, the next one in line asks.
    pub(super) async fn join(&self, token: Digest, ask: impl Future<Output = T>) -> T {
        // Declared first and so dropped last: the guard looks at the cell when this request's share of it is gone.
        let _guard;
        let cell = {
            let cell = Arc::clone(self.cells().entry(token).or_default());
            _guard = Flight { flights: self, token, cell: Arc::downgrade(&cell) };
            cell
        };
        cell.get_or_init(|| ask).await.clone()
    }
}

impl<T> Flights<T> {
    fn cells(&self) -> MutexGuard<'_, HashMap<Digest, Arc<OnceCell<T>>, ByDigest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request that waits for an answer.
struct Flight<'a, T> {
    flights: &'a Flights<T>,
    token: Digest,
    cell: Weak<OnceCell<T>>,
}

impl<T> Drop for Flight<'_, T> {
    fn drop(&mut self) {
        let mut cells = self.flights.cells();
        let own = |cell: &Arc<OnceCell<T>>| std::ptr::eq(Arc::as_ptr(cell), self.cell.as_ptr());
        // An answer is remembered elsewhere. A question without a waiting request is dropped.
        let is_done = |cell: &Arc<OnceCell<T>>| cell.initialized() || Arc::strong_count(cell) == 1;
        if cells.get(&self.token).is_some_and(|cell| own(cell) && is_done(cell)) {
            cells.remove(&self.token);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        time::Duration,
    };

    use tokio::time::{sleep, timeout};

    use super::*;

    fn token(number: u8) -> Digest {
        Digest::new([number; 32])
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_ask_meanwhile_get_one_answer() {
        let (flights, asked) = (Arc::new(Flights::default()), Arc::new(AtomicUsize::new(0)));
        let join = |number| {
            let (flights, asked) = (Arc::clone(&flights), Arc::clone(&asked));
            tokio::spawn(async move {
                let ask = async {
                    sleep(Duration::from_secs(1)).await;
                    asked.fetch_add(1, Ordering::Relaxed) + 1
                };
                flights.join(token(number), ask).await
            })
        };
        let waiting: Vec<_> = (0..100).map(|_| join(1)).collect();
        for waiting in waiting {
            assert_eq!(waiting.await.expect("no panic"), 1);
        }
        assert_eq!(join(1).await.expect("no panic"), 2);
        assert!(flights.cells().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_first_goes_away_the_next_one_asks() {
        let flights = Arc::new(Flights::default());
        let second = tokio::spawn({
            let flights = Arc::clone(&flights);
            async move {
                sleep(Duration::from_millis(10)).await;
                flights.join(token(1), async { "second" }).await
            }
        });
        let never = async {
            std::future::pending::<()>().await;
            "first"
        };
        assert!(timeout(Duration::from_secs(1), flights.join(token(1), never)).await.is_err());
        assert_eq!(second.await.expect("no panic"), "second");
        assert!(timeout(Duration::from_secs(1), flights.join(token(2), std::future::pending())).await.is_err());
        assert!(flights.cells().is_empty());
    }
}
