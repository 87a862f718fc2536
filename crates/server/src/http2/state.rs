//! What the parts of one HTTP/2 connection tell each other.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Waker},
};

use crate::connection::{Activity, Stamp, Transport, millis};
use crate::limits::Limits;

/// Shared by the guarded socket, the service, the streams' tasks and the connection that drives hyper.
#[derive(Debug)]
pub(super) struct State {
    activity: Arc<Activity>,
    requests: AtomicU64,
    in_flight: AtomicUsize,
    responses: AtomicU32,
    streams: Mutex<Streams>,
    /// The stream whose task hyper is about to hand to the executor.
    starting: Mutex<Option<Arc<Stream>>>,
    flood: OnceLock<&'static str>,
    returned: Mutex<Option<Parts>>,
}

/// What outlives hyper's use of the socket.
pub(super) struct Parts {
    pub(super) transport: Transport,
    /// Whether what was sent ends with a whole frame.
    pub(super) at_boundary: bool,
    /// The highest stream that the client has opened.
    pub(super) last_stream: u32,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("last_stream", &self.last_stream).finish_non_exhaustive()
    }
}

/// The streams in flight, by slot.
#[derive(Debug, Default)]
struct Streams {
    slots: Vec<Option<Arc<Stream>>>,
    free: Vec<usize>,
}

/// The stamps of one stream, and the ways to end it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// The service has waited for the request body's next byte since then.
    pub(super) body_awaited: Stamp,
    /// The client has not taken the response body's next frame since then.
    pub(super) send_blocked: Stamp,
    answered: AtomicBool,
    body_expired: AtomicBool,
    reset: AtomicBool,
    body_task: Mutex<Option<Waker>>,
    task: Mutex<Option<Waker>>,
}

impl Stream {
    pub(super) fn set_answered(&self) {
        self.answered.store(true, Relaxed);
    }

    /// Whether the client has been too slow with the body, which is only true while it is waited for.
    pub(super) fn is_body_expired(&self) -> bool {
        self.body_expired.load(Relaxed)
    }

    pub(super) fn await_body(&self, cx: &Context<'_>) {
        keep_waker(&self.body_task, cx);
    }

    /// A byte has come after all.
    pub(super) fn body_moved(&self) {
        self.body_awaited.clear();
        if self.is_body_expired() {
            self.body_expired.store(false, Relaxed);
        }
    }

    pub(super) fn is_reset(&self) -> bool {
        self.reset.load(Relaxed)
    }

    pub(super) fn await_reset(&self, cx: &Context<'_>) {
        keep_waker(&self.task, cx);
    }

    /// Ends what has taken too long. Gives when to look again.
    fn check(&self, now: u64, limits: &Limits) -> u64 {
        let answered = self.answered.load(Relaxed);
        let body_limit = millis(if answered { limits.stream_timeout } else { limits.body_timeout });
        let mut next = u64::MAX;
        if let Some(since) = self.body_awaited.get() {
            let due = since.saturating_add(body_limit);
            if due > now {
                next = due;
            } else if !self.body_expired.swap(true, Relaxed) {
                wake(&self.body_task);
            }
        }
        if let Some(since) = self.send_blocked.get() {
            let due = since.saturating_add(millis(limits.write_timeout));
            if due > now {
                next = next.min(due);
            } else {
                self.reset();
            }
        }
        next
    }

    fn reset(&self) {
        if !self.reset.swap(true, Relaxed) {
            wake(&self.task);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn keep_waker(slot: &Mutex<Option<Waker>>, cx: &Context<'_>) {
    let mut slot = lock(slot);
    if !slot.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *slot = Some(cx.waker().clone());
    }
}

fn wake(slot: &Mutex<Option<Waker>>) {
    let waker = lock(slot).take();
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl State {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        Self {
            activity,
            requests: AtomicU64::new(0),
            in_flight: AtomicUsize::new(0),
            responses: AtomicU32::new(0),
            streams: Mutex::default(),
            starting: Mutex::new(None),
            flood: OnceLock::new(),
            returned: Mutex::new(None),
        }
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// A request goes to the service. Gives its stream and the slot of it.
    pub(super) fn begin(&self) -> (Arc<Stream>, usize) {
        let stream = Arc::new(Stream::default());
        self.requests.fetch_add(1, Relaxed);
        self.in_flight.fetch_add(1, Relaxed);
        *lock(&self.starting) = Some(Arc::clone(&stream));
        let mut streams = lock(&self.streams);
        let slot = match streams.free.pop() {
            Some(slot) => slot,
            None => {
                streams.slots.push(None);
                streams.slots.len() - 1
            }
        };
        streams.slots[slot] = Some(Arc::clone(&stream));
        (stream, slot)
    }

    pub(super) fn end(&self, slot: usize) {
        let mut streams = lock(&self.streams);
        streams.slots[slot] = None;
        streams.free.push(slot);
        drop(streams);
        if self.in_flight.fetch_sub(1, Relaxed) == 1 {
            self.activity.idle.set(self.activity.now());
        }
    }

    pub(super) fn take_starting(&self) -> Option<Arc<Stream>> {
        lock(&self.starting).take()
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Relaxed)
    }

    pub(super) fn note_response(&self) {
        self.responses.fetch_add(1, Relaxed);
    }

    /// Heads of responses since the last call.
    pub(super) fn take_responses(&self) -> u32 {
        self.responses.swap(0, Relaxed)
    }

    /// The client floods the connection, or is too slow with a frame.
    pub(super) fn set_flood(&self, flood: &'static str) {
        let _ = self.flood.set(flood);
    }

    pub(super) fn flood(&self) -> Option<&'static str> {
        self.flood.get().copied()
    }

    /// Ends streams that have taken too long. Gives when to look again.
    pub(super) fn check_streams(&self, now: u64, limits: &Limits) -> u64 {
        // Waking under the lock is safe: a woken task runs later.
        let streams = lock(&self.streams);
        streams.slots.iter().flatten().map(|stream| stream.check(now, limits)).min().unwrap_or(u64::MAX)
    }

    /// Ends the tasks of all streams.
    pub(super) fn reset_streams(&self) {
        let streams = lock(&self.streams);
        streams.slots.iter().flatten().for_each(|stream| stream.reset());
    }

    pub(super) fn give_back(&self, parts: Parts) {
        *lock(&self.returned) = Some(parts);
    }

    pub(super) fn take_back(&self) -> Option<Parts> {
        lock(&self.returned).take()
    }
}
