//! One thread's share of a pool.

use std::{
    cell::Cell,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hyper::client::conn::http2::SendRequest;

use super::{
    place::Place,
    streams::{Multiplexed, StreamPermit},
    sweeper,
    upload::Upload,
};
use crate::http1;

/// From here on an idle connection is likely to stay idle, and holds no buffers.
const TRIMMED: Duration = Duration::from_secs(1);

/// The connections that one thread keeps. Other threads look in only when they have none of their own.
pub(super) struct Shard<B> {
    state: Mutex<State<B>>,
    /// Held while an HTTP/2 connection is opened, so that the requests that wait for it do not each open one.
    pub(super) opening: Arc<tokio::sync::Mutex<()>>,
}

struct State<B> {
    /// The last one in is the first one out, so that those not needed fall idle.
    #[expect(clippy::vec_box, reason = "a connection goes from hand to hand, and is large")]
    idle: Vec<Box<http1::Connection<Place<B>>>>,
    multiplexed: Vec<Multiplexed<B>>,
    swept: bool,
}

impl<B> Shard<B> {
    /// Enough shards that the threads of one runtime rarely share one.
    pub(super) fn one_a_thread() -> Box<[Self]> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        (0..threads.next_power_of_two() * 2).map(|_| Self::new()).collect()
    }

    fn new() -> Self {
        Self {
            state: Mutex::new(State { idle: Vec::new(), multiplexed: Vec::new(), swept: false }),
            opening: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection that can be used.
    pub(super) fn take(&self, keep_alive: Duration) -> Option<Box<http1::Connection<Place<B>>>> {
        let mut state = self.lock();
        let mut now = None;
        while let Some(mut connection) = state.idle.pop() {
            let now = *now.get_or_insert_with(Instant::now);
            if idle_for(&connection, now) < keep_alive && connection.is_quiet() {
                return Some(connection);
            }
        }
        None
    }

    /// Puts a connection back. Says whether somebody has to see to it that it is swept.
    fn put(&self, connection: Box<http1::Connection<Place<B>>>) -> bool {
        let mut state = self.lock();
        state.idle.push(connection);
        !std::mem::replace(&mut state.swept, true)
    }

    /// Closes what has been idle for too long, and what its endpoint has closed. Says whether anything is left to
    /// sweep later.
    pub(super) fn sweep(&self, keep_alive: Duration) -> bool {
        let mut state = self.lock();
        let now = Instant::now();
        state.idle.retain_mut(|connection| {
            let idle_for = idle_for(connection, now);
            if idle_for >= keep_alive || !connection.is_quiet() {
                return false;
            }
            if idle_for >= TRIMMED {
                connection.trim();
            }
            true
        });
        state.swept = !state.idle.is_empty();
        state.swept
    }

    /// Marks that nobody sweeps any more, because the runtime of the one who did has ended.
    pub(super) fn unswept(&self) {
        self.lock().swept = false;
    }

    /// A multiplexed connection with room for one more stream.
    pub(super) fn multiplexed(&self) -> Option<(SendRequest<Upload<B>>, StreamPermit<B>)> {
        let mut state = self.lock();
        if state.multiplexed.is_empty() {
            return None;
        }
        state.multiplexed.retain(|connection| !connection.is_over());
        state.multiplexed.iter().find_map(Multiplexed::reserve)
    }

    /// Lets the multiplexed connections go that serve no new streams.
    pub(super) fn drop_over(&self) {
        self.lock().multiplexed.retain(|connection| !connection.is_over());
    }

    pub(super) fn put_multiplexed(&self, connection: Multiplexed<B>) {
        self.lock().multiplexed.push(connection);
    }
}

fn idle_for<P>(connection: &http1::Connection<P>, now: Instant) -> Duration {
    connection.idle_since().map_or(Duration::ZERO, |since| now.duration_since(since))
}

/// Puts the connection of a response that has been read back into its pool.
pub(super) fn put_back<B: Send + 'static>(body: &mut http1::Incoming<Place<B>>) {
    let Some(mut connection) = body.take_spent() else { return };
    let Some(pool) = connection.place().and_then(Place::pool) else { return };
    connection.rest();
    let shard = thread_number() % pool.shards.len();
    if pool.shards[shard].put(connection) {
        sweeper::start(&pool, shard);
    }
    pool.tell_waiting();
}

/// The number of the thread that asks: its shard is this, modulo the number of shards.
pub(super) fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    NUMBER.with(|number| {
        if number.get() == usize::MAX {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}
