//! The streams of one connection, each from its request until nothing of it is left here.
//!
//! 1. A stream is in the table from the moment its request goes to the service until its response has left, or the
//!    stream was reset, and the service has let go of the request's body.
//! 2. A response is given to h2 as far as the client's windows let it go, never further. So whatever still waits for
//!    a window waits in a task, which can be ended alone.
//! 3. A response that was given to h2 whole has no task any more. It stays in the table until its last frame is on
//!    the wire, since a client can take a window back.
//! 4. Whatever waits for the client is stamped. The connection's watchdog judges the stamps; nothing else has a timer.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
};

use gatewright_http1::Violation;
use h2::Reason;

use super::broken::Broken;
use crate::{
    limits::Limits,
    transport::{Activity, Stamp, ticks},
};

/// The table. Streams stand in it by their number, which only grows.
#[derive(Debug, Default)]
pub(super) struct Streams(Mutex<Vec<Entry>>);

#[derive(Debug)]
struct Entry {
    stream: Arc<Stream>,
    response: Progress,
    /// The service holds the request's body.
    body_held: bool,
}

/// How far a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// A task makes and sends it.
    InTask,
    /// A task still does, but the client has reset the stream.
    Unwanted,
    /// h2 has all of it.
    HandedOver,
    /// It has left, or nobody wants it any more.
    Over,
}

/// What the watchdog found among the streams.
pub(super) enum Found {
    /// Nothing is due before this stamp.
    Next(u64),
    /// A response that h2 has does not leave, and h2 alone could reset its stream.
    Stuck,
}

/// The stamps of one stream, and the ways to end it.
#[derive(Debug)]
pub(super) struct Stream {
    id: u32,
    /// The service has waited for the request body's next byte since then.
    pub(super) body_awaited: Stamp,
    /// The response has left, and the service holds the request's body without asking for more of it since then.
    body_ignored: Stamp,
    /// Some of the response has waited for the client to take it since then.
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

    /// h2 is about to be given the end of the response. Gives whether that was the last of the last stream.
    pub(super) fn hand_over(&self, id: u32) -> bool {
        self.change(id, |entry| {
            entry.response = match entry.response {
                Progress::InTask => Progress::HandedOver,
                // h2 drops it.
                _ => Progress::Over,
            };
        })
    }

    /// The task has ended. Gives whether that was the last of the last stream.
    pub(super) fn task_ended(&self, id: u32) -> bool {
        self.change(id, |entry| {
            if matches!(entry.response, Progress::InTask | Progress::Unwanted) {
                entry.response = Progress::Over;
                // Without a whole response the stream is reset, and h2 fails its body.
                entry.body_held = false;
            }
        })
    }

    /// The client resets a stream. Gives whether that was the last of the last stream.
    pub(super) fn reset_by_client(&self, id: u32) -> bool {
        self.change(id, |entry| {
            entry.response = match entry.response {
                Progress::InTask | Progress::Unwanted => Progress::Unwanted,
                Progress::HandedOver | Progress::Over => Progress::Over,
            };
        })
    }

    /// The last frame of a stream is on the wire. Gives whether that was the last of the last stream.
    pub(super) fn left(&self, id: u32) -> bool {
        self.change(id, |entry| entry.response = Progress::Over)
    }

    /// The service lets go of the request's body. Gives whether that was the last of the last stream.
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
            // The service may hold the body for as long as it likes, but not the connection.
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

    /// Whether the client has been too slow with the body, which is only true while it is waited for.
    pub(super) fn is_body_expired(&self) -> bool {
        self.body_expired.load(Relaxed)
    }

    pub(super) fn set_body_violation(&self, violation: Violation) {
        let _ = self.body_violation.set(violation);
    }

    /// What is wrong with the body, whatever the service makes of its failure.
    pub(super) fn body_fault(&self) -> Option<Violation> {
        self.body_violation.get().copied().or_else(|| self.is_body_expired().then_some(Violation::SLOW_BODY))
    }

    pub(super) fn await_body(&self, cx: &Context<'_>, activity: &Activity) {
        keep_waker(&self.body_task, cx);
        activity.begin(&self.body_awaited);
        self.body_ignored.clear();
    }

    /// A byte has come after all.
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

    /// Whether the stream is at its end, whatever else its task waits for; `poll_reset` asks h2 whether the client
    /// has reset it.
    pub(super) fn poll_end(
        &self,
        cx: &mut Context<'_>,
        poll_reset: impl FnOnce(&mut Context<'_>) -> Poll<Result<Reason, h2::Error>>,
    ) -> Poll<Broken> {
        keep_waker(&self.task, cx);
        // Asked after the waker is there, so that no reset comes between.
        if self.is_reset() {
            return Poll::Ready(Broken::Cut);
        }
        poll_reset(cx).map(|_| Broken::Gone)
    }

    fn reset(&self) {
        if !self.reset.swap(true, Relaxed) {
            wake(&self.task);
        }
    }

    /// Fails a body that its client has been too slow with. Gives when to look again.
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

    /// When the client will have taken too long to take the response.
    ///
    /// Where the socket takes nothing, every stream waits behind it: then it is the socket that is judged, and a stream
    /// only by the longest limit, so that trickling bytes of one stream cannot shelter the others for ever.
    fn unsent_due(&self, activity: &Activity, limits: &Limits) -> Option<u64> {
        let since = self.unsent.get()?;
        let longest = since.saturating_add(ticks(limits.stream_timeout.max(limits.write_timeout)));
        if activity.write_blocked.get().is_some() {
            return Some(longest);
        }
        let since = since.max(activity.write_resumed.get().unwrap_or(0));
        Some(longest.min(since.saturating_add(ticks(limits.write_timeout))))
    }

    /// Whether the service has asked for nothing of the body for too long, once the response has left.
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
