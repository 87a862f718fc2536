//! The state that the parts of one HTTP/2 connection share.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
};

use super::streams::{Stream, Streams};
use crate::transport::{Activity, Transport};

/// Shared by the guarded socket, the tasks of streams and the connection that drives h2.
#[derive(Debug)]
pub(super) struct State {
    activity: Arc<Activity>,
    pub(super) streams: Streams,
    requests: AtomicU64,
    responses: AtomicU32,
    /// Whether the client has sent bytes since the last question.
    heard: AtomicBool,
    flood: OnceLock<&'static str>,
    returned: Mutex<Option<Parts>>,
}

/// The parts of the guarded socket that outlive h2.
pub(super) struct Parts {
    pub(super) transport: Transport,
    /// Whether the sent bytes end with a whole frame.
    pub(super) at_boundary: bool,
    /// The highest stream that the client has opened.
    pub(super) last_stream: u32,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("last_stream", &self.last_stream).finish_non_exhaustive()
    }
}

impl State {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        Self {
            activity,
            streams: Streams::default(),
            requests: AtomicU64::new(0),
            responses: AtomicU32::new(0),
            heard: AtomicBool::new(false),
            flood: OnceLock::new(),
            returned: Mutex::new(None),
        }
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// A request goes to the service.
    pub(super) fn begin(&self, id: u32, has_body: bool) -> Arc<Stream> {
        self.requests.fetch_add(1, Relaxed);
        self.streams.begin(id, has_body)
    }

    /// A stream may have ended; `was_last` says that no other stream is left.
    pub(super) fn ended(&self, was_last: bool) {
        if was_last {
            self.activity.idle.set(self.activity.now());
        }
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    pub(super) fn note_response(&self) {
        self.responses.fetch_add(1, Relaxed);
    }

    /// The number of response heads since the last call.
    pub(super) fn take_responses(&self) -> u32 {
        self.responses.swap(0, Relaxed)
    }

    pub(super) fn set_heard(&self) {
        self.heard.store(true, Relaxed);
    }

    pub(super) fn take_heard(&self) -> bool {
        self.heard.swap(false, Relaxed)
    }

    /// The client floods the connection, or is too slow with a frame.
    pub(super) fn set_flood(&self, flood: &'static str) {
        let _ = self.flood.set(flood);
    }

    pub(super) fn flood(&self) -> Option<&'static str> {
        self.flood.get().copied()
    }

    pub(super) fn give_back(&self, parts: Parts) {
        *self.returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(parts);
    }

    pub(super) fn take_back(&self) -> Option<Parts> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
