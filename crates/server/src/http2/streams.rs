//! The streams of one connection, each from its request until nothing of it is left.
//!
//! Invariants:
//!
//! 1. The table is sorted by stream number, and holds each stream once.
//! 2. A stream is in the table from the moment its request goes to the service. It leaves the table when two things are
//!    over: its response has been written or its stream was reset, and the service has dropped the request's body or has
//!    ignored it for too long.
//! 3. A response only moves forward: `InTask`, then `Unwanted` or `HandedOver`, then `Over`. The socket and the task may be
//!    on two threads, so every order of their events leads to `Over`, and the event that removes the last stream says so.
//! 4. h2 gets a response only as far as the client's windows reach. Data that waits for a window waits in the stream's
//!    task, which can be ended alone.
//! 5. A response that h2 has whole has no task any more. The stream stays in the table until its last frame is on the
//!    wire, since a client can reduce a window again.
//! 6. Everything that waits for the client has a stamp. The connection's watchdog judges the stamps, and no stream has a
//!    timer.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use gatewright_http1::Violation;
use h2::Reason;

use super::aborted::Aborted;
use crate::{
    limits::Limits,
    transport::{Activity, Stamp, ticks},
};

/// The table of streams.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    stream: Arc<Stream>,
    response: Progress,
    /// The service holds the request's body.
    body_held: bool,
}

/// The progress of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// A task makes and sends the response.
    InTask,
    /// A task makes and sends the response, but the client has reset the stream.
    Unwanted,
    /// h2 has the whole response.
    HandedOver,
    /// The response is on the wire, or nobody wants it any more.
    Over,
}

/// The judgement of all streams.
pub(super) enum Found {
    /// Nothing is due before this stamp.
    Next(u64),
    /// The client does not take a response that h2 has whole. Only h2 could reset its stream.
    Stuck,
}

/// The stamps of one stream, and the ways to end it.
#[derive(Debug)]
pub(super) struct Stream {
    id: u32,
    /// The service has waited for the request body's next byte since then.
    pub(super) body_awaited: Stamp,
    /// Since then the response is on the wire, and the service holds the request's body without asking for more of it.
    body_ignored: Stamp,
    /// Part of the response has waited for the client since then.
    pub(super) unsent: Stamp,
    answered: AtomicBool,
    body_expired: AtomicBool,
    /// The rule that the request's trailers break.
    body_violation: OnceLock<Violation>,
    reset: AtomicBool,
    body_task: Mutex<Option<Waker>>,
    task: Mutex<Option<Waker>>,
}

impl Streams {
    /// A request goes to the service.
    pub(super) fn begin(&self, id: u32, body_held: bool) -> Arc<Stream> {
        let stream = Arc::new(Stream::new(id));
        let entry = Entry { stream: Arc::clone(&stream), response: Progress::InTask, body_held };
        let mut entries = lock(&self.0);
        let at = entries.partition_point(|entry| entry.stream.id < id);
        entries.insert(at, entry);
        stream
    }

    pub(super) fn in_flight(&self) -> usize {
        lock(&self.0).len()
    }

    /// h2 is about to get the end of the response. True if no stream is left.
    pub(super) fn hand_over(&self, id: u32) -> bool {
        self.change(id, |entry| {
            entry.response = match entry.response {
                Progress::InTask => Progress::HandedOver,
                // h2 drops the data of a stream that was reset.
                _ => Progress::Over,
            };
        })
    }

    /// The task has ended. True if no stream is left.
    pub(super) fn task_ended(&self, id: u32) -> bool {
        self.change(id, |entry| {
            if matches!(entry.response, Progress::InTask | Progress::Unwanted) {
                entry.response = Progress::Over;
                // A stream without a whole response is reset, and h2 then fails its body.
                entry.body_held = false;
            }
        })
    }

    /// The client resets a stream. True if no stream is left.
    pub(super) fn reset_by_client(&self, id: u32) -> bool {
        self.change(id, |entry| {
            entry.response = match entry.response {
                Progress::InTask | Progress::Unwanted => Progress::Unwanted,
                Progress::HandedOver | Progress::Over => Progress::Over,
            };
        })
    }

    /// The last frame of a stream is on the wire. True if no stream is left.
    pub(super) fn left(&self, id: u32) -> bool {
        self.change(id, |entry| entry.response = Progress::Over)
    }

    /// The service drops the request's body. True if no stream is left.
    pub(super) fn body_dropped(&self, id: u32) -> bool {
        self.change(id, |entry| entry.body_held = false)
    }

    fn change(&self, id: u32, change: impl FnOnce(&mut Entry)) -> bool {
        let mut entries = lock(&self.0);
        let Ok(at) = entries.binary_search_by_key(&id, |entry| entry.stream.id) else { return false };
        change(&mut entries[at]);
        if !entries[at].is_over() {
            return false;
        }
        entries.remove(at);
        entries.is_empty()
    }

    /// Ends streams that have taken too long.
    pub(super) fn check(&self, activity: &Activity, limits: &Limits) -> Found {
        let now = activity.now();
        let mut next = u64::MAX;
        let mut stuck = false;
        // Waking under the lock is safe: a woken task runs later.
        lock(&self.0).retain(|entry| {
            let stream = &*entry.stream;
            next = next.min(stream.check_body(now, limits));
            match stream.unsent_due(activity, limits) {
                Some(due) if due > now => next = next.min(due),
                Some(_) if entry.response == Progress::HandedOver => stuck = true,
                Some(_) => stream.reset(),
                None => {}
            }
            // A service may hold a body for as long as it likes, but the body does not keep the connection open.
            entry.response != Progress::Over || !stream.is_body_ignored(activity, limits)
        });
        if stuck { Found::Stuck } else { Found::Next(next) }
    }
}

impl Entry {
    fn is_over(&self) -> bool {
        self.response == Progress::Over && !self.body_held
    }
}

impl Stream {
    fn new(id: u32) -> Self {
        Self {
            id,
            body_awaited: Stamp::none(),
            body_ignored: Stamp::none(),
            unsent: Stamp::none(),
            answered: AtomicBool::new(false),
            body_expired: AtomicBool::new(false),
            body_violation: OnceLock::new(),
            reset: AtomicBool::new(false),
            body_task: Mutex::new(None),
            task: Mutex::new(None),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn set_answered(&self) {
        self.answered.store(true, Relaxed);
    }

    /// Whether the client is too slow with the body that the service waits for.
    pub(super) fn is_body_expired(&self) -> bool {
        self.body_expired.load(Relaxed)
    }

    pub(super) fn set_body_violation(&self, violation: Violation) {
        let _ = self.body_violation.set(violation);
    }

    /// The violation of the body, if there is one.
    pub(super) fn body_fault(&self) -> Option<Violation> {
        self.body_violation.get().copied().or_else(|| self.is_body_expired().then_some(Violation::SLOW_BODY))
    }

    pub(super) fn await_body(&self, cx: &Context<'_>, activity: &Activity) {
        keep_waker(&self.body_task, cx);
        activity.begin(&self.body_awaited);
        self.body_ignored.clear();
    }

    /// A frame has come.
    pub(super) fn body_moved(&self) {
        self.body_awaited.clear();
        self.body_ignored.clear();
        if self.is_body_expired() {
            self.body_expired.store(false, Relaxed);
        }
    }

    pub(super) fn is_reset(&self) -> bool {
        self.reset.load(Relaxed)
    }

    /// Whether the stream has ended while its task waits for something else. `poll_reset` asks h2 whether the client has
    /// reset the stream.
    pub(super) fn poll_end(
        &self,
        cx: &mut Context<'_>,
        poll_reset: impl FnOnce(&mut Context<'_>) -> Poll<Result<Reason, h2::Error>>,
    ) -> Poll<Aborted> {
        keep_waker(&self.task, cx);
        // The waker is kept first, so that no reset is missed in between.
        if self.is_reset() {
            return Poll::Ready(Aborted::Cut);
        }
        poll_reset(cx).map(|_| Aborted::Gone)
    }

    fn reset(&self) {
        if !self.reset.swap(true, Relaxed) {
            wake(&self.task);
        }
    }

    /// Fails a body whose client is too slow. Gives the stamp at which to look again.
    fn check_body(&self, now: u64, limits: &Limits) -> u64 {
        let answered = self.answered.load(Relaxed);
        let limit = ticks(if answered { limits.stream_timeout } else { limits.body_timeout });
        let Some(since) = self.body_awaited.get() else { return u64::MAX };
        let due = since.saturating_add(limit);
        if due > now {
            return due;
        }
        if !self.body_expired.swap(true, Relaxed) {
            wake(&self.body_task);
        }
        u64::MAX
    }

    /// The stamp at which the client will have been too slow to take the response.
    ///
    /// While the socket takes nothing, every stream waits for the socket. The watchdog then judges the socket, and each
    /// stream only by the longest limit: a client that takes a few bytes of one stream must not keep the others for ever.
    fn unsent_due(&self, activity: &Activity, limits: &Limits) -> Option<u64> {
        let since = self.unsent.get()?;
        let longest = since.saturating_add(ticks(limits.stream_timeout.max(limits.write_timeout)));
        if activity.write_blocked.get().is_some() {
            return Some(longest);
        }
        let since = since.max(activity.write_resumed.get().unwrap_or(0));
        Some(longest.min(since.saturating_add(ticks(limits.write_timeout))))
    }

    /// Whether the service has held the body for too long after the response without asking for more of it.
    fn is_body_ignored(&self, activity: &Activity, limits: &Limits) -> bool {
        if self.body_awaited.get().is_some() {
            return false;
        }
        activity.begin(&self.body_ignored);
        let since = self.body_ignored.get().unwrap_or(u64::MAX);
        since.saturating_add(ticks(limits.stream_timeout)) <= activity.now()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_in_the_table_until_its_response_has_left_and_its_body_is_dropped() {
        let streams = Streams::default();
        for (id, has_body) in [(1, false), (3, true), (5, true)] {
            streams.begin(id, has_body);
        }
        assert!(!streams.hand_over(1) && !streams.left(1));
        assert_eq!(streams.in_flight(), 2);
        // What goes first does not matter.
        assert!(!streams.hand_over(3) && !streams.body_dropped(3));
        assert_eq!(streams.in_flight(), 2);
        assert!(!streams.left(3));
        assert!(!streams.hand_over(5) && !streams.left(5));
        assert_eq!(streams.in_flight(), 1);
        assert!(streams.body_dropped(5), "the last is over");
        // The frames of a stream that is over change nothing.
        assert!(!streams.left(5) && !streams.reset_by_client(5));
    }

    /// The socket and the task of a stream may be on two threads.
    #[test]
    fn no_order_of_events_leaves_a_stream_behind() {
        let events: [fn(&Streams) -> bool; 4] = [
            |streams| streams.hand_over(1),
            |streams| streams.task_ended(1),
            |streams| streams.reset_by_client(1),
            |streams| streams.left(1),
        ];
        for order in [
            // The last frame is on the wire before the task has gone on.
            &[0, 3, 1][..],
            &[0, 1, 3],
            // A reset, at any point: h2 drops what it has.
            &[2, 0, 1],
            &[0, 2, 1],
            &[0, 1, 2],
            &[2, 1],
            &[2, 2, 1],
            // h2 resets the stream itself.
            &[3, 1],
            &[1],
        ] {
            let streams = Streams::default();
            streams.begin(1, false);
            let ended = order.iter().filter(|event| events[**event](&streams)).count();
            assert_eq!((streams.in_flight(), ended), (0, 1), "{order:?}");
        }
    }
}
