//! The streams of one HTTP/2 connection.
//!
//! 1. A stream takes one of the connection's slots until it has ended. That holds for a cancelled stream too.
//! 2. A reset is sent only when the connection's [`ResetBudget`] pays for it, or when its turn has come.
//! 3. A connection on which a reset could not be paid for is retired: it serves no new streams. It is not retired when the
//!    pool has no room for another one, so that there always is a connection for new streams, or room for one.
//! 4. A connection is also retired when it has been idle for long enough, and when a request has waited for its response
//!    in vain while nothing at all has come.
//! 5. A retired connection is closed as soon as nobody waits for any of its streams. The resets that are left need not be
//!    sent then.
//! 6. `held <= open <= MAX_STREAMS`, and nobody waits for a held stream.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gatewright_http1::Rules;
use tokio::{sync::oneshot, time::Instant};

use super::{Inner, reset_budget::ResetBudget};

/// How many streams one HTTP/2 connection has at most. The server allows its clients as many.
pub(super) const MAX_STREAMS: usize = 100;

/// How many retired connections a pool has at most while clients still wait for their streams.
const MAX_RETIRED: usize = 16;

/// The streams of a connection, and its state.
pub(super) struct Streams<B> {
    state: Mutex<State>,
    written: AtomicU64,
    read: AtomicU64,
    /// The rules by which responses are read.
    rules: Rules,
    pool: Weak<Inner<B>>,
}

struct State {
    /// How many slots are taken.
    open: usize,
    /// How many of these slots belong to streams that nobody waits for.
    held: usize,
    /// When the last slot became free.
    idle_since: Instant,
    /// How many slots there are.
    limit: usize,
    /// Whether a response has come.
    answered: bool,
    retired: bool,
    resets: ResetBudget,
    /// Dropped, it closes the connection.
    closer: Option<oneshot::Sender<Infallible>>,
}

/// One stream, counted until it is dropped.
pub(super) struct StreamPermit<B> {
    streams: Arc<Streams<B>>,
    held: bool,
}

/// How long a connection has been idle.
pub(super) enum Idle {
    /// It has been idle for this long, which is not long enough.
    For(Duration),
    /// It serves no new streams from now on. Dropping the sender closes it; `None` when it is being closed already.
    Retired(Option<oneshot::Sender<Infallible>>),
}

/// When the reset of a stream may leave.
pub(super) enum Reset {
    Now,
    At(Instant),
}

impl<B> Streams<B> {
    /// The streams of a new connection. The connection is closed when `closer` is dropped.
    pub(super) fn new(pool: Weak<Inner<B>>, closer: oneshot::Sender<Infallible>, rules: Rules) -> Arc<Self> {
        let state = State {
            open: 0,
            held: 0,
            idle_since: Instant::now(),
            limit: MAX_STREAMS,
            answered: false,
            retired: false,
            resets: ResetBudget::new(Instant::now()),
            closer: Some(closer),
        };
        let (written, read) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { state: Mutex::new(state), written, read, rules, pool })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the connection serves no new streams.
    pub(super) fn is_retired(&self) -> bool {
        self.lock().retired
    }

    /// A slot for one more stream, if there is one.
    pub(super) fn reserve(self: &Arc<Self>) -> Option<StreamPermit<B>> {
        let mut state = self.lock();
        if state.retired || state.open >= state.limit {
            return None;
        }
        state.open += 1;
        Some(StreamPermit { streams: Arc::clone(self), held: false })
    }

    /// Notes how many streams the endpoint allows. Further requests go on another connection.
    pub(super) fn allow(&self, streams: usize) {
        let streams = streams.clamp(1, MAX_STREAMS);
        if std::mem::replace(&mut self.lock().limit, streams) < streams {
            self.tell();
        }
    }

    /// Notes that bytes have left.
    pub(super) fn note_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Notes that bytes have come.
    pub(super) fn note_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Retires the connection when it has had no stream for `keep_alive`. No stream is reserved meanwhile.
    pub(super) fn retire_idle(&self, keep_alive: Duration) -> Idle {
        let mut state = self.lock();
        if state.open > 0 {
            return Idle::For(Duration::ZERO);
        }
        let idle_for = state.idle_since.elapsed();
        if idle_for < keep_alive {
            return Idle::For(idle_for);
        }
        self.retire(&mut state);
        Idle::Retired(state.closer.take())
    }

    /// The pool, if it still exists.
    pub(super) fn pool(&self) -> Option<Arc<Inner<B>>> {
        self.pool.upgrade()
    }

    /// Notes that the connection is closed.
    pub(super) fn note_closed(&self) {
        if self.lock().retired
            && let Some(pool) = self.pool.upgrade()
        {
            pool.retired.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Lets the connection serve no new streams.
    fn retire(&self, state: &mut State) {
        if !std::mem::replace(&mut state.retired, true)
            && let Some(pool) = self.pool.upgrade()
        {
            pool.retired.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the pool may open another connection in place of this one.
    fn may_retire(&self) -> bool {
        self.pool.upgrade().is_some_and(|pool| {
            pool.open.load(Ordering::Relaxed) < pool.max_connections
                && pool.retired.load(Ordering::Relaxed) < MAX_RETIRED
        })
    }

    fn tell(&self) {
        if let Some(pool) = self.pool.upgrade() {
            pool.tell_waiting();
        }
    }
}

impl State {
    /// The sender whose drop closes the connection, when the connection is retired and nobody waits for its streams.
    fn closes(&mut self) -> Option<oneshot::Sender<Infallible>> {
        if self.retired && self.open == self.held { self.closer.take() } else { None }
    }
}

impl<B> StreamPermit<B> {
    /// Whether the connection has answered a request before.
    pub(super) fn is_reused(&self) -> bool {
        self.streams.lock().answered
    }

    /// The rules by which the response is read.
    pub(super) fn rules(&self) -> &Rules {
        &self.streams.rules
    }

    /// Notes that the response has begun.
    pub(super) fn note_answered(&self) {
        self.streams.lock().answered = true;
    }

    /// Notes that the stream has ended without a reset.
    pub(super) fn note_ended(&self) {
        self.streams.lock().resets.earn();
    }

    /// How many bytes have left on the connection.
    pub(super) fn written(&self) -> u64 {
        self.streams.written.load(Ordering::Relaxed)
    }

    /// How many bytes have come on the connection.
    pub(super) fn read(&self) -> u64 {
        self.streams.read.load(Ordering::Relaxed)
    }

    /// Retires the connection, whose endpoint says nothing, unless others wait for its streams and the pool has no room
    /// for another connection. It is closed with the last of its streams.
    pub(super) fn retire_silent(&self) {
        let mut state = self.streams.lock();
        let is_last = state.open == state.held + 1;
        if is_last || self.streams.may_retire() {
            self.streams.retire(&mut state);
        }
    }

    /// Holds the slot for a cancelled stream, and says when its reset may leave. The caller keeps the stream until then,
    /// unless the stream ends before.
    pub(super) fn give_up(&mut self) -> Reset {
        let now = Instant::now();
        let mut state = self.streams.lock();
        if state.closer.is_none() || state.resets.pay(now) {
            return Reset::Now;
        }
        if self.streams.may_retire() {
            self.streams.retire(&mut state);
        }
        state.held += 1;
        self.held = true;
        let closes = state.closes();
        let turn = state.resets.turn(now);
        drop(state);
        if closes.is_some() { Reset::Now } else { Reset::At(turn) }
    }

    /// Holds the slot for a stream that lacks only its formal end.
    pub(super) fn await_end(&mut self) -> Instant {
        let mut state = self.streams.lock();
        state.held += 1;
        self.held = true;
        state.resets.turn(Instant::now())
    }
}

impl<B> Drop for StreamPermit<B> {
    fn drop(&mut self) {
        let mut state = self.streams.lock();
        state.open -= 1;
        state.held -= usize::from(self.held);
        if state.open == 0 {
            state.idle_since = Instant::now();
        }
        let closes = state.closes();
        drop(state);
        drop(closes);
        self.streams.tell();
    }
}

#[cfg(test)]
mod tests;
