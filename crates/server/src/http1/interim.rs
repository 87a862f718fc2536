//! Interim responses (1xx, RFC 9110, section 15.2) that the service sends.

use std::{
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
};

use gatewright_core::SendInterim;
use gatewright_http1::{WriteBuffer, write_interim_response};
use http::{HeaderMap, StatusCode};

/// More than this waiting unsent is a fault of the service.
const MAX_QUEUED: usize = 64 * 1024;

/// Interim responses on their way from the service, whose tasks may be many, to the connection.
#[derive(Debug, Default)]
pub(super) struct Interims {
    /// The number of the request that may have some now; zero when none may.
    open_for: AtomicU64,
    waiting: AtomicBool,
    queue: Mutex<Queue>,
    task: OnceLock<Waker>,
}

#[derive(Debug, Default)]
struct Queue {
    number: u64,
    bytes: Vec<u8>,
}

impl Interims {
    /// Names the task that drives the connection.
    pub(super) fn set_task(&self, waker: &Waker) {
        let _ = self.task.set(waker.clone());
    }

    /// From now on the request of this number, which is not zero, may have some.
    pub(super) fn open(&self, number: u64) {
        self.open_for.store(number, Ordering::Release);
    }

    /// None may be sent any more, since the final response begins.
    pub(super) fn close(&self) {
        self.open_for.store(0, Ordering::Release);
    }

    /// Adds what waits to `out`; what was meant for another request than `number` is dropped.
    #[inline]
    pub(super) fn take(&self, number: u64, out: &mut WriteBuffer) {
        if self.waiting.load(Ordering::Acquire) {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            self.waiting.store(false, Ordering::Release);
            if queue.number == number {
                out.put(&queue.bytes);
            }
            queue.bytes = Vec::new();
        }
    }
}

impl SendInterim for Interims {
    fn request(&self) -> u64 {
        self.open_for.load(Ordering::Acquire)
    }

    fn send(&self, number: u64, status: StatusCode, headers: &HeaderMap) {
        // 100 is the connection's to send, 101 ends HTTP.
        if number == 0 || !(102..200).contains(&status.as_u16()) {
            return;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // The final response may have begun meanwhile.
        if self.open_for.load(Ordering::Acquire) != number {
            return;
        }
        if queue.number != number {
            queue.number = number;
            queue.bytes.clear();
        }
        if queue.bytes.len() > MAX_QUEUED {
            return;
        }
        write_interim_response(status, headers, &mut queue.bytes);
        self.waiting.store(true, Ordering::Release);
        drop(queue);
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }
}
