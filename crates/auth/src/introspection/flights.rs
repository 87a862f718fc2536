//! Questions that are under way, each asked once.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::OnceCell;

use crate::digest::{ByDigest, Digest};

/// Questions that are under way, by the token that they are about.
///
/// The lock is taken when a token is asked about, never for one that is known.
#[derive(Debug)]
pub(super) struct Flights<T>(Mutex<HashMap<Digest, Arc<OnceCell<T>>, ByDigest>>);

impl<T> Default for Flights<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Flights<T> {
    /// The answer of whoever asks first. When that one goes away, the next one in line asks.
    pub(super) async fn join(&self, token: Digest, ask: impl Future<Output = T>) -> T {
        let cell = Arc::clone(self.cells().entry(token).or_default());
        let flight = Flight { flights: self, token, cell };
        flight.cell.get_or_init(|| ask).await.clone()
    }
}

impl<T> Flights<T> {
    fn cells(&self) -> MutexGuard<'_, HashMap<Digest, Arc<OnceCell<T>>, ByDigest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those who wait for an answer.
struct Flight<'a, T> {
    flights: &'a Flights<T>,
    token: Digest,
    cell: Arc<OnceCell<T>>,
}

impl<T> Drop for Flight<'_, T> {
    fn drop(&mut self) {
        let mut cells = self.flights.cells();
        let is_ours = cells.get(&self.token).is_some_and(|cell| Arc::ptr_eq(cell, &self.cell));
        // An answer that is there is remembered elsewhere; a question that nobody waits for any more is forgotten.
        if is_ours && (self.cell.initialized() || Arc::strong_count(&self.cell) == 2) {
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
