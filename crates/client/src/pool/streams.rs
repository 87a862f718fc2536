//! The streams of one HTTP/2 connection.
//!
//! 1. A stream takes one of the connection's slots until it has ended, a stream that its client has given up too.
//! 2. A reset is sent only when the endpoint's [`Patience`] pays for it, or when its turn has come.
//! 3. A connection on which a reset could not be paid for is retired: it serves no new streams. It is not when the pool
//!    has no room for another one, so that there always is a connection for new streams, or room for one.
//! 4. A connection is retired, too, when it has been idle for long enough, and when a request has waited for its
//!    response in vain and nothing at all has come meanwhile.
//! 5. A retired connection is closed as soon as nobody waits for any of its streams, which spares the endpoint all
//!    resets that are left.

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use gatewright_http1::Rules;
use hyper::client::conn::http2;
use tokio::{sync::oneshot, time::Instant};

use super::{Inner, patience::Patience, upload::Upload};

/// Streams on one HTTP/2 connection at most, as we allow our own clients.
pub(super) const MAX_STREAMS: usize = 100;

/// Retired connections of a pool at most, while clients still wait for some of their streams.
const MAX_RETIRED: usize = 16;

/// A sender of an HTTP/2 connection.
pub(super) struct Multiplexed<B> {
    sender: http2::SendRequest<Upload<B>>,
    streams: Arc<Streams<B>>,
}

/// The streams that a connection has, and what is known of it.
pub(super) struct Streams<B> {
    state: Mutex<State>,
    written: AtomicU64,
    read: AtomicU64,
    /// Those by which responses are read.
    rules: Rules,
    pool: Weak<Inner<B>>,
}

struct State {
    /// Slots that are taken.
    open: usize,
    /// Those of them whose clients have given up.
    held: usize,
    /// Since when no slot has been taken, while none is.
    idle_since: Instant,
    /// Slots that there are.
    limit: usize,
    /// Whether a response has come.
    answered: bool,
    retired: bool,
    patience: Patience,
    /// Dropped, it closes the connection.
    closer: Option<oneshot::Sender<Infallible>>,
}

/// One stream, counted until it is dropped.
pub(super) struct StreamPermit<B> {
    streams: Arc<Streams<B>>,
    held: bool,
}

/// Whether a connection was in use of late.
pub(super) enum Idle {
    /// It has been idle for so long, which is not long enough.
    For(Duration),
    /// It serves no new streams. Here is what closes it, if nothing else does already.
    Retired(Option<oneshot::Sender<Infallible>>),
}

/// When the reset of a stream may leave.
pub(super) enum Reset {
    Now,
    At(Instant),
}

impl<B> Multiplexed<B> {
    pub(super) fn new(sender: http2::SendRequest<Upload<B>>, streams: Arc<Streams<B>>) -> Self {
        Self { sender, streams }
    }

    /// Whether it serves no new streams.
    pub(super) fn is_over(&self) -> bool {
        self.sender.is_closed() || self.streams.lock().retired
    }

    /// A sender for one more stream, if the connection has room for it.
    pub(super) fn reserve(&self) -> Option<(http2::SendRequest<Upload<B>>, StreamPermit<B>)> {
        if self.sender.is_closed() {
            return None;
        }
        let permit = self.streams.reserve()?;
        Some((self.sender.clone(), permit))
    }
}

impl<B> Streams<B> {
    /// Those of a new connection, which is closed when the `closer` is dropped.
    pub(super) fn new(pool: Weak<Inner<B>>, closer: oneshot::Sender<Infallible>, rules: Rules) -> Arc<Self> {
        let state = State {
            open: 0,
            held: 0,
            idle_since: Instant::now(),
            limit: MAX_STREAMS,
            answered: false,
            retired: false,
            patience: Patience::new(Instant::now()),
            closer: Some(closer),
        };
        let (written, read) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { state: Mutex::new(state), written, read, rules, pool })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(self: &Arc<Self>) -> Option<StreamPermit<B>> {
        let mut state = self.lock();
        if state.retired || state.open >= state.limit {
            return None;
        }
        state.open += 1;
        Some(StreamPermit { streams: Arc::clone(self), held: false })
    }

    /// Notes how many streams the endpoint allows; beyond that requests go on another connection.
    pub(super) fn allow(&self, streams: usize) {
        let streams = streams.clamp(1, MAX_STREAMS);
        if std::mem::replace(&mut self.lock().limit, streams) < streams {
            self.tell();
        }
    }

    /// Notes that so many bytes have left.
    pub(super) fn note_written(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Notes that so many bytes have come.
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

    /// The pool, while it is there.
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

    /// Whether another connection may take this one's part.
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
    /// What closes the connection, when it is retired and nobody waits for any of its streams.
    fn closes(&mut self) -> Option<oneshot::Sender<Infallible>> {
        if self.retired && self.open == self.held { self.closer.take() } else { None }
    }
}

impl<B> StreamPermit<B> {
    /// Whether the connection has answered a request before.
    pub(super) fn is_reused(&self) -> bool {
        self.streams.lock().answered
    }

    /// Those by which the response is read.
    pub(super) fn rules(&self) -> &Rules {
        &self.streams.rules
    }

    /// Notes that the response has begun.
    pub(super) fn note_answered(&self) {
        self.streams.lock().answered = true;
    }

    /// Notes that the stream has ended well.
    pub(super) fn note_ended(&self) {
        self.streams.lock().patience.earn();
    }

    /// How many bytes have left on the connection so far.
    pub(super) fn written(&self) -> u64 {
        self.streams.written.load(Ordering::Relaxed)
    }

    /// How many bytes have come on the connection so far.
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

    /// Holds the slot for a stream whose client has given up, and says when its reset may leave. It is to be held until
    /// then, unless it ends before.
    pub(super) fn give_up(&mut self) -> Reset {
        let now = Instant::now();
        let mut state = self.streams.lock();
        if state.closer.is_none() || state.patience.pay(now) {
            return Reset::Now;
        }
        if self.streams.may_retire() {
            self.streams.retire(&mut state);
        }
        state.held += 1;
        self.held = true;
        let closes = state.closes();
        let turn = state.patience.turn(now);
        drop(state);
        if closes.is_some() { Reset::Now } else { Reset::At(turn) }
    }

    /// Holds the slot for a stream of which nothing but its formal end is missing.
    pub(super) fn await_end(&mut self) -> Instant {
        let mut state = self.streams.lock();
        state.held += 1;
        self.held = true;
        state.patience.turn(Instant::now())
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
mod tests {
    use std::pin::pin;

    use gatewright_core::Body;
    use tokio::sync::oneshot::error::TryRecvError;

    use super::*;
    use crate::{Pool, PoolBuilder};

    fn pool(max_connections: usize) -> Pool<Body> {
        let builder = PoolBuilder::new("127.0.0.1:1".parse().expect("a target"));
        builder.max_connections(max_connections).build()
    }

    /// The streams of a connection, and what tells that it is to be closed.
    fn connect(pool: &Pool<Body>) -> (Arc<Streams<Body>>, oneshot::Receiver<Infallible>) {
        let (closer, closing) = oneshot::channel();
        (Streams::new(Arc::downgrade(&pool.inner), closer, Rules::for_responses()), closing)
    }

    fn is_closed(closing: &mut oneshot::Receiver<Infallible>) -> bool {
        closing.try_recv() == Err(TryRecvError::Closed)
    }

    fn reserve<const COUNT: usize>(streams: &Arc<Streams<Body>>) -> [StreamPermit<Body>; COUNT] {
        std::array::from_fn(|_| streams.reserve().expect("there is a slot"))
    }

    /// Uses the endpoint's patience up.
    fn exhaust(streams: &Arc<Streams<Body>>) {
        for mut permit in reserve::<3>(streams) {
            assert!(matches!(permit.give_up(), Reset::Now));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_as_many_slots_as_the_endpoint_allows_and_a_hundred_at_most() {
        for (allowed, slots) in [(0, 1), (1, 1), (7, 7), (100, 100), (101, 100), (usize::MAX, 100)] {
            let (streams, _closing) = connect(&pool(1));
            streams.allow(allowed);
            let mut permits: Vec<_> = std::iter::from_fn(|| streams.reserve()).collect();
            assert_eq!(permits.len(), slots, "{allowed} are allowed");
            permits.pop();
            permits.extend(streams.reserve());
            assert!(permits.len() == slots && streams.reserve().is_none(), "{allowed} are allowed");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_is_told_of_new_slots() {
        let pool = pool(1);
        let (streams, _closing) = connect(&pool);
        pool.inner.waiting.fetch_add(1, Ordering::Relaxed);
        // A notification that nobody waits for is kept for the next one.
        let is_told = async || {
            let told = tokio::time::timeout(Duration::from_millis(1), pool.inner.freed.notified());
            pin!(told).await.is_ok()
        };
        for (allowed, expected) in [(100, false), (5, false), (6, true), (6, false), (1, false), (100, true)] {
            streams.allow(allowed);
            assert_eq!(is_told().await, expected, "{allowed} are allowed");
        }
        drop(streams.reserve());
        assert!(is_told().await, "a slot is free again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_retired_when_it_has_had_no_stream_for_long_enough() {
        const KEEP_ALIVE: Duration = Duration::from_secs(4);
        let pool = pool(1);
        let (streams, mut closing) = connect(&pool);
        let idle_for = || match streams.retire_idle(KEEP_ALIVE) {
            Idle::For(time) => Some(time),
            Idle::Retired(_closer) => None,
        };
        let [permit] = reserve(&streams);
        tokio::time::advance(KEEP_ALIVE * 2).await;
        assert_eq!(idle_for(), Some(Duration::ZERO), "it has a stream");
        drop(permit);
        tokio::time::advance(KEEP_ALIVE - Duration::from_millis(1)).await;
        assert_eq!(idle_for(), Some(KEEP_ALIVE - Duration::from_millis(1)));
        drop(reserve::<1>(&streams));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(idle_for(), Some(Duration::from_millis(1)), "it had a stream meanwhile");
        assert!(!is_closed(&mut closing));
        tokio::time::advance(KEEP_ALIVE).await;
        assert_eq!(idle_for(), None);
        assert!(streams.reserve().is_none() && is_closed(&mut closing));
        assert_eq!(pool.inner.retired.load(Ordering::Relaxed), 1);
        streams.note_closed();
        assert_eq!(pool.inner.retired.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_endpoint_has_no_patience_left_is_closed_with_the_last_who_waits() {
        let pool = pool(usize::MAX);
        let (streams, mut closing) = connect(&pool);
        let [mut first, mut second, waits] = reserve(&streams);
        exhaust(&streams);
        let start = Instant::now();
        for (permit, turn) in [(&mut first, 100), (&mut second, 200)] {
            let reset = permit.give_up();
            assert!(matches!(reset, Reset::At(at) if at == start + Duration::from_millis(turn)));
        }
        assert!(streams.reserve().is_none(), "it is retired");
        assert!(!is_closed(&mut closing), "one waits");
        drop(waits);
        assert!(is_closed(&mut closing), "nobody waits");
        drop((first, second));
        assert_eq!(streams.lock().held, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_of_which_all_streams_were_given_up_is_closed_at_once() {
        let pool = pool(usize::MAX);
        let (streams, mut closing) = connect(&pool);
        exhaust(&streams);
        let [mut last] = reserve(&streams);
        assert!(matches!(last.give_up(), Reset::Now), "the close spares the reset");
        assert!(is_closed(&mut closing));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_not_retired_where_none_can_take_its_part() {
        for (max_connections, open, retired, expected) in [
            (2, 1, 0, true),
            (2, 2, 0, false),
            (1, 1, 0, false),
            (usize::MAX, 1, MAX_RETIRED - 1, true),
            (usize::MAX, 1, MAX_RETIRED, false),
        ] {
            let pool = pool(max_connections);
            pool.inner.open.store(open, Ordering::Relaxed);
            pool.inner.retired.store(retired, Ordering::Relaxed);
            let name = format!("{open} of {max_connections} open, {retired} retired");
            // For want of patience, while another one waits.
            let (streams, _closing) = connect(&pool);
            exhaust(&streams);
            let [mut given_up, _waits] = reserve(&streams);
            assert!(matches!(given_up.give_up(), Reset::At(_)), "{name}");
            assert_eq!(streams.reserve().is_none(), expected, "{name}");
            // For silence.
            pool.inner.retired.store(retired, Ordering::Relaxed);
            let (streams, _closing) = connect(&pool);
            let [silent, _waits] = reserve(&streams);
            silent.retire_silent();
            assert_eq!(streams.reserve().is_none(), expected, "{name}");
            // The last one retires it in any case.
            pool.inner.retired.store(retired, Ordering::Relaxed);
            let (streams, _closing) = connect(&pool);
            let [silent] = reserve(&streams);
            silent.retire_silent();
            assert!(streams.reserve().is_none(), "{name}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_waits_for_its_formal_end_holds_no_retired_connection() {
        let pool = pool(usize::MAX);
        let (streams, mut closing) = connect(&pool);
        let [mut ends, waits] = reserve(&streams);
        assert_eq!(ends.await_end(), Instant::now() + Duration::from_millis(100));
        waits.retire_silent();
        assert!(streams.reserve().is_none() && !is_closed(&mut closing));
        drop(waits);
        assert!(is_closed(&mut closing));
        drop(ends);
        let state = streams.lock();
        assert_eq!((state.open, state.held), (0, 0));
    }
}
