//! One thread's share of a pool.
//!
//! 1. A connection that lies here has no request. Whoever takes it out owns it, and no other thread can.
//! 2. The list is last in, first out. Connections that are not needed stay idle and are closed.
//! 3. A connection is handed out only when it is open, has been idle for less than `keep_alive`, and holds no bytes that
//!    came unasked. Any other one that is found is closed.
//! 4. One sweeper at most looks after a shard, and there is one whenever the idle list is not empty, unless its runtime has
//!    ended.
//! 5. A multiplexed connection stays in the list while it serves requests. It leaves the list when it serves no new streams.
//! 6. From `drain` on, both lists stay empty.

use std::{
    cell::Cell,
    mem,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hyper::client::conn::http2::SendRequest;

use super::{
    connection_permit::ConnectionPermit, multiplexed::Multiplexed, streams::StreamPermit, sweeper,
    upload::Upload,
};
use crate::http1;

/// After this time an idle connection is likely to stay idle, and gives its buffers back.
const TRIMMED: Duration = Duration::from_secs(1);

/// The connections of one thread. Another thread takes one only when it has none of its own.
pub(super) struct Shard<B> {
    state: Mutex<State<B>>,
    /// Held while an HTTP/2 connection is opened, so that not every request that waits for it opens one too.
    pub(super) opening: Arc<tokio::sync::Mutex<()>>,
}

struct State<B> {
    #[expect(clippy::vec_box, reason = "a connection goes from hand to hand, and is large")]
    idle: Vec<Box<http1::Connection<ConnectionPermit<B>>>>,
    multiplexed: Vec<Multiplexed<B>>,
    swept: bool,
    /// How often a connection was found here.
    hits: u64,
    /// No connection is kept from here on.
    draining: bool,
}

impl<B> Shard<B> {
    /// Enough shards that the threads of one runtime rarely share one.
    pub(super) fn one_a_thread() -> Box<[Self]> {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        (0..threads.next_power_of_two() * 2).map(|_| Self::new()).collect()
    }

    fn new() -> Self {
        Self {
            state: Mutex::new(State {
                idle: Vec::new(),
                multiplexed: Vec::new(),
                swept: false,
                hits: 0,
                draining: false,
            }),
            opening: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection that can be used.
    pub(super) fn take(&self, keep_alive: Duration) -> Option<Box<http1::Connection<ConnectionPermit<B>>>> {
        let mut state = self.lock();
        let mut now = None;
        while let Some(mut connection) = state.idle.pop() {
            let now = *now.get_or_insert_with(Instant::now);
            if idle_for(&connection, now) < keep_alive && connection.is_quiet() {
                state.hits += 1;
                return Some(connection);
            }
        }
        None
    }

    /// Puts a connection back. Says whether a sweeper has to be started.
    fn put(&self, connection: Box<http1::Connection<ConnectionPermit<B>>>) -> bool {
        let mut state = self.lock();
        if state.draining {
            return false;
        }
        state.idle.push(connection);
        !mem::replace(&mut state.swept, true)
    }

    /// Closes the connections that have been idle for too long or that the endpoint has closed. Says whether connections
    /// are left.
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

    /// Notes that nobody sweeps any longer, because the runtime of the sweeper has ended.
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
        let found = state.multiplexed.iter().find_map(Multiplexed::reserve);
        state.hits += u64::from(found.is_some());
        found
    }

    /// How often a connection was found here, and how many are idle.
    pub(super) fn hits_and_idle(&self) -> (u64, usize) {
        let state = self.lock();
        (state.hits, state.idle.len())
    }

    /// Drops the multiplexed connections that serve no new streams.
    pub(super) fn drop_over(&self) {
        self.lock().multiplexed.retain(|connection| !connection.is_over());
    }

    pub(super) fn put_multiplexed(&self, connection: Multiplexed<B>) {
        let mut state = self.lock();
        if !state.draining {
            state.multiplexed.push(connection);
        }
    }

    /// Closes the connections that are idle, and keeps none from here on.
    pub(super) fn drain(&self) {
        let mut state = self.lock();
        state.draining = true;
        let (idle, multiplexed) = (mem::take(&mut state.idle), mem::take(&mut state.multiplexed));
        // Connections are closed outside of the lock.
        drop(state);
        drop((idle, multiplexed));
    }
}

fn idle_for<P>(connection: &http1::Connection<P>, now: Instant) -> Duration {
    connection.idle_since().map_or(Duration::ZERO, |since| now.duration_since(since))
}

/// Puts the connection of a response that has been read back into its pool.
pub(super) fn put_back<B: Send + 'static>(body: &mut http1::Incoming<ConnectionPermit<B>>) {
    let Some(mut connection) = body.take_spent() else { return };
    let Some(pool) = connection.permit().and_then(ConnectionPermit::pool) else { return };
    connection.rest();
    let shard = thread_number() % pool.shards.len();
    if pool.shards[shard].put(connection) {
        sweeper::start(&pool, shard);
    }
    pool.tell_waiting();
}

/// The number of the current thread. Its shard is this number modulo the number of shards.
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

#[cfg(test)]
mod tests {
    use gatewright_core::Body;
    use tokio::io::DuplexStream;

    use super::*;
    use crate::{Pool, PoolBuilder, stream::Stream};

    const HOUR: Duration = Duration::from_secs(3600);

    fn pool() -> Pool<Body> {
        PoolBuilder::new("127.0.0.1:1".parse().expect("a target")).build()
    }

    /// Puts an idle connection in, and gives its other end.
    fn put(pool: &Pool<Body>, shard: &Shard<Body>) -> DuplexStream {
        let (near, far) = tokio::io::duplex(64);
        let permit = ConnectionPermit::reserve(&pool.inner).expect("there is room");
        let mut connection = http1::Connection::new(Stream::Memory(near), permit);
        connection.rest();
        shard.put(connection);
        far
    }

    #[test]
    fn a_connection_is_taken_that_is_open_silent_and_not_idle_for_too_long() {
        let (pool, shard) = (pool(), Shard::new());
        let _far = put(&pool, &shard);
        assert!(shard.take(HOUR).is_some());
        assert!(shard.take(HOUR).is_none(), "it was the only one");
        let _far = put(&pool, &shard);
        assert!(shard.take(Duration::ZERO).is_none(), "it has been idle for too long");
        drop(put(&pool, &shard));
        assert!(shard.take(HOUR).is_none(), "it is closed");
        let mut far = put(&pool, &shard);
        futures_now(tokio::io::AsyncWriteExt::write_all(&mut far, b"HTTP/1.1 408"));
        assert!(shard.take(HOUR).is_none(), "it was sent something that nobody asked for");
        assert_eq!(pool.open_connections(), 0, "what is of no use is closed");
    }

    /// Polls what is ready at once.
    fn futures_now<T>(future: impl Future<Output = T>) {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::pin::pin!(future).poll(&mut context).is_ready());
    }

    #[test]
    fn the_last_one_in_is_the_first_one_out_and_what_is_of_no_use_is_passed_over() {
        let (pool, shard) = (pool(), Shard::new());
        let _first = put(&pool, &shard);
        shard.lock().idle[0].age(HOUR / 2);
        let second = put(&pool, &shard);
        drop(put(&pool, &shard));
        let idle_for = |shard: &Shard<Body>| {
            shard.take(HOUR).map(|connection| idle_for(&connection, Instant::now()) >= HOUR / 2)
        };
        assert_eq!(idle_for(&shard), Some(false), "the second one");
        assert_eq!(idle_for(&shard), Some(true), "the first one");
        drop(second);
    }

    #[test]
    fn what_is_swept_is_closed_when_it_is_of_no_use_and_trimmed_when_it_is_likely_to_stay_idle() {
        let (pool, shard) = (pool(), Shard::new());
        assert!(!shard.sweep(HOUR), "nothing is there");
        let _far = put(&pool, &shard);
        drop(put(&pool, &shard));
        assert!(shard.sweep(HOUR));
        assert_eq!(pool.open_connections(), 1, "the closed one is gone");
        let holds_buffer = || shard.lock().idle[0].holds_buffer();
        assert!(holds_buffer());
        shard.lock().idle[0].age(TRIMMED);
        assert!(shard.sweep(HOUR) && !holds_buffer());
        shard.lock().idle[0].age(HOUR);
        assert!(!shard.sweep(HOUR), "nothing is left");
        assert_eq!(pool.open_connections(), 0);
    }

    #[test]
    fn a_shard_is_swept_by_one_at_a_time() {
        let (pool, shard) = (pool(), Shard::new());
        let connection = || {
            let permit = ConnectionPermit::reserve(&pool.inner).expect("there is room");
            let mut connection = http1::Connection::new(Stream::Memory(tokio::io::duplex(64).0), permit);
            connection.rest();
            connection
        };
        assert!(shard.put(connection()), "nobody sweeps yet");
        assert!(!shard.put(connection()));
        shard.unswept();
        assert!(shard.put(connection()));
        // All are closed, so that the sweeper ends.
        assert!(!shard.sweep(HOUR));
        assert!(shard.put(connection()));
    }
}
