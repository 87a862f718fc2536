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

/// A service that has more bytes than this waiting is at fault; further responses are dropped.
const MAX_QUEUED: usize = 64 * 1024;

/// Interim responses on their way from the tasks of the service to the connection.
#[derive(Debug, Default)]
pub(super) struct Interims {
    /// The number of the request that may have interim responses now; zero if none may.
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

    /// Lets the request of this number, which is not zero, have interim responses.
    pub(super) fn open(&self, number: u64) {
        self.open_for.store(number, Ordering::Release);
    }

    /// Ends the interim responses, because the final response begins.
    pub(super) fn close(&self) {
        self.open_for.store(0, Ordering::Release);
    }

    /// Moves the waiting responses to `out`. Responses for another request than `number` are dropped.
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
        // The connection itself sends 100, and 101 ends HTTP.
        if number == 0 || !(102..200).contains(&status.as_u16()) {
            return;
        }
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // The final response may have begun before the lock was taken.
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

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn fields(length: usize) -> HeaderMap {
        let value = HeaderValue::try_from("x".repeat(length)).expect("a value");
        HeaderMap::from_iter([(HeaderName::from_static("link"), value)])
    }

    /// What has been sent and not been taken yet, by the request of this number.
    fn taken(interims: &Interims, number: u64) -> String {
        let mut out = WriteBuffer::default();
        interims.take(number, &mut out);
        String::from_utf8(out.to_vec()).expect("text")
    }

    fn opened() -> Interims {
        let interims = Interims::default();
        interims.open(1);
        interims
    }

    #[test]
    fn only_interim_responses_are_sent_and_neither_100_nor_101() {
        for (status, is_sent) in
            [(100, false), (101, false), (102, true), (103, true), (199, true), (200, false)]
        {
            let interims = opened();
            interims.send(1, StatusCode::from_u16(status).expect("a status"), &HeaderMap::new());
            assert_eq!(!taken(&interims, 1).is_empty(), is_sent, "{status}");
        }
    }

    #[test]
    fn only_the_request_that_waits_for_its_response_has_some() {
        let interims = Interims::default();
        for number in [0, 1] {
            interims.send(number, StatusCode::EARLY_HINTS, &fields(1));
        }
        assert_eq!(taken(&interims, 0) + &taken(&interims, 1), "", "none was open");
        interims.open(1);
        for number in [0, 2] {
            interims.send(number, StatusCode::EARLY_HINTS, &fields(1));
        }
        assert_eq!(taken(&interims, 1), "", "another one was open");
        interims.send(interims.request(), StatusCode::EARLY_HINTS, &fields(1));
        interims.close();
        interims.send(1, StatusCode::EARLY_HINTS, &fields(2));
        assert_eq!(taken(&interims, 1), "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n");
        assert_eq!(taken(&interims, 1), "", "each is taken once");
        // What was meant for the first one is not for the second one.
        interims.open(1);
        interims.send(1, StatusCode::EARLY_HINTS, &fields(1));
        interims.open(2);
        assert_eq!(taken(&interims, 2), "");
        interims.open(1);
        interims.send(1, StatusCode::EARLY_HINTS, &fields(1));
        interims.open(2);
        interims.send(2, StatusCode::EARLY_HINTS, &fields(2));
        assert_eq!(taken(&interims, 2), "HTTP/1.1 103 Early Hints\r\nlink: xx\r\n\r\n");
    }

    #[test]
    fn what_waits_unsent_is_bounded() {
        let around = "HTTP/1.1 103 Early Hints\r\nlink: \r\n\r\n".len();
        for (first, sent) in [(MAX_QUEUED - 1, 2), (MAX_QUEUED, 2), (MAX_QUEUED + 1, 1)] {
            let interims = opened();
            interims.send(1, StatusCode::EARLY_HINTS, &fields(first - around));
            interims.send(1, StatusCode::EARLY_HINTS, &fields(1));
            assert_eq!(taken(&interims, 1).matches("103").count(), sent, "after {first} bytes");
        }
        let interims = opened();
        for _ in 0..10_000 {
            interims.send(1, StatusCode::EARLY_HINTS, &fields(100));
        }
        let taken_at_once = taken(&interims, 1).len();
        assert!((64 << 10..65 << 10).contains(&taken_at_once), "{taken_at_once} bytes");
        // There is room again.
        interims.send(1, StatusCode::EARLY_HINTS, &fields(1));
        assert!(!taken(&interims, 1).is_empty());
    }
}
