//! One thread's share of a pool.

use std::{
    cell::Cell,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use hyper::client::conn::{http1, http2};

use super::{
    sent::Sent,
    streams::{Multiplexed, StreamPermit},
};

/// The connections that one thread keeps. Other threads look in only when they have none of their own.
pub(super) struct Shard<B> {
    state: Mutex<State<B>>,
    /// Held while an HTTP/2 connection is opened, so that the requests that wait for it do not each open one.
    pub(super) opening: tokio::sync::Mutex<()>,
}

struct State<B> {
    /// The last one in is the first one out, so that those not needed fall idle.
    idle: Vec<Idle<B>>,
    multiplexed: Vec<Multiplexed<B>>,
    swept: bool,
}

/// An HTTP/1 connection between two requests.
pub(super) struct Idle<B> {
    pub(super) sender: http1::SendRequest<Sent<B>>,
    pub(super) since: Instant,
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
            opening: tokio::sync::Mutex::new(()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection that can be used at once.
    pub(super) fn take_ready(&self, keep_alive: Duration) -> Option<Idle<B>> {
        let state = &mut *self.lock();
        if state.idle.is_empty() {
            return None;
        }
        let now = Instant::now();
        let mut at = state.idle.len();
        while at > 0 {
            at -= 1;
            let idle = &state.idle[at];
            if idle.sender.is_closed() || now.duration_since(idle.since) >= keep_alive {
                state.idle.swap_remove(at);
            } else if idle.sender.is_ready() {
                return Some(state.idle.remove(at));
            }
        }
        None
    }

    /// Takes a connection that may still have to finish its last exchange.
    pub(super) fn take_any(&self, keep_alive: Duration) -> Option<Idle<B>> {
        self.take_ready(keep_alive).or_else(|| self.lock().idle.pop())
    }

    /// Puts a connection back. Says whether somebody has to see to it that it is swept.
    pub(super) fn put(&self, sender: http1::SendRequest<Sent<B>>) -> bool {
        let mut state = self.lock();
        state.idle.push(Idle { sender, since: Instant::now() });
        !std::mem::replace(&mut state.swept, true)
    }

    /// Closes what has been idle for too long. Says whether anything is left to sweep later.
    pub(super) fn sweep(&self, keep_alive: Duration) -> bool {
        let mut state = self.lock();
        let now = Instant::now();
        state.idle.retain(|idle| !idle.sender.is_closed() && now.duration_since(idle.since) < keep_alive);
        state.swept = !state.idle.is_empty();
        state.swept
    }

    /// Marks that nobody sweeps any more, because the runtime of the one who did has ended.
    pub(super) fn unswept(&self) {
        self.lock().swept = false;
    }

    /// A multiplexed connection with room for one more stream.
    pub(super) fn multiplexed(&self) -> Option<(http2::SendRequest<Sent<B>>, StreamPermit<B>)> {
        let mut state = self.lock();
        if state.multiplexed.is_empty() {
            return None;
        }
        state.multiplexed.retain(|connection| !connection.is_closed());
        state.multiplexed.iter().find_map(Multiplexed::reserve)
    }

    pub(super) fn put_multiplexed(&self, connection: Multiplexed<B>) {
        self.lock().multiplexed.push(connection);
    }
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
