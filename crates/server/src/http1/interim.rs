//! Interim responses (1xx, RFC 9110, section 15.2), which hyper's server cannot send.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use std::task::Waker;

use gatewright_core::InterimResponder;
use http::{HeaderMap, StatusCode, header};

use super::state::State;

/// More than this waiting unsent is a fault of the service.
const MAX_QUEUED: usize = 64 * 1024;

/// Interim responses that wait for a place between two writes of hyper.
#[derive(Debug, Default)]
pub(super) struct Interims {
    /// The number of the request that they are for; zero when there are none.
    queued_for: AtomicU64,
    queue: Mutex<Vec<u8>>,
    /// Whether the client of the request in flight knows interim responses: one that speaks HTTP/1.0 does not.
    understood: AtomicBool,
    task: OnceLock<Waker>,
}

impl Interims {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.queued_for.load(Ordering::Acquire) == 0
    }

    /// Takes what waits; it is dropped when it is for another request than `number`.
    pub(super) fn take(&self, number: u64) -> Vec<u8> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let queued_for = self.queued_for.swap(0, Ordering::AcqRel);
        let queued = std::mem::take(&mut *queue);
        if queued_for == number { queued } else { Vec::new() }
    }

    pub(super) fn set_understood(&self, understood: bool) {
        self.understood.store(understood, Ordering::Relaxed);
    }

    /// Names the task that drives the connection.
    pub(super) fn set_task(&self, waker: &Waker) {
        let _ = self.task.set(waker.clone());
    }

    fn push(&self, number: u64, status: StatusCode, headers: &HeaderMap) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if self.queued_for.load(Ordering::Acquire) != number {
            queue.clear();
        }
        if queue.len() > MAX_QUEUED {
            return;
        }
        encode(&mut queue, status, headers);
        self.queued_for.store(number, Ordering::Release);
        drop(queue);
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }
}

/// The way to send interim responses on a connection.
pub(super) fn responder(state: &Arc<State>) -> InterimResponder {
    let state = Arc::clone(state);
    InterimResponder::new(move |status, headers| {
        let number = state.requests();
        let awaited = state.in_flight() && state.responding() != number;
        // 100 is hyper's to send, 101 ends HTTP.
        let sendable = (102..200).contains(&status.as_u16());
        if awaited && sendable && state.interims.understood.load(Ordering::Relaxed) {
            state.interims.push(number, status, headers);
        }
    })
}

fn encode(out: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or("Interim").as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in headers {
        // An interim response has no body, and says nothing of the connection.
        if [
            header::CONTENT_LENGTH,
            header::TRANSFER_ENCODING,
            header::CONNECTION,
            header::UPGRADE,
            header::TRAILER,
        ]
        .contains(name)
        {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
}
