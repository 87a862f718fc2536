//! What the parts of one HTTP/1 connection tell each other.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed},
};

use super::{interim::Interims, io::Parts, tunnel::Tunnel};
use crate::{
    connection::Activity,
    framing::{Upgrade, Violation},
    refused::RequestLine,
};

/// Shared by the framed socket and the service, which hyper holds, and by the connection that drives hyper. They run
/// in one task, so that relaxed atomics do; where another task may come in, a lock is named.
#[derive(Debug)]
pub(super) struct State {
    activity: Arc<Activity>,
    in_flight: AtomicBool,
    requests: AtomicU64,
    responding: AtomicU64,
    at_boundary: AtomicBool,
    poll_again: AtomicBool,
    upgrade: AtomicU8,
    refusal: OnceLock<Refusal>,
    reported: AtomicBool,
    pub(super) interims: Interims,
    pub(super) tunnel: Tunnel,
    /// Where the socket comes back to when hyper lets go of it.
    returned: Mutex<Option<Parts>>,
}

/// Why nothing more is read from this client.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) violation: Violation,
    /// In a body, whose request has been given to the service; else the service knows nothing of it.
    pub(super) in_body: bool,
    /// How many requests came before it, which are answered first.
    pub(super) after: u64,
    pub(super) request_line: Option<RequestLine>,
}

/// How an upgrade stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Negotiation {
    None,
    WebSocket,
    Ignored,
    Granted,
    Denied,
}

impl State {
    pub(super) fn new(activity: Arc<Activity>) -> Self {
        Self {
            activity,
            in_flight: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            responding: AtomicU64::new(0),
            at_boundary: AtomicBool::new(true),
            poll_again: AtomicBool::new(false),
            upgrade: AtomicU8::new(Negotiation::None as u8),
            refusal: OnceLock::new(),
            reported: AtomicBool::new(false),
            interims: Interims::default(),
            tunnel: Tunnel::default(),
            returned: Mutex::new(None),
        }
    }

    pub(super) fn activity(&self) -> &Activity {
        &self.activity
    }

    /// A request goes to the service. Gives its number, which is never zero.
    pub(super) fn begin_request(&self) -> u64 {
        let number = self.requests.load(Relaxed) + 1;
        self.requests.store(number, Relaxed);
        self.in_flight.store(true, Relaxed);
        number
    }

    /// hyper has the head of the response in its hands.
    pub(super) fn begin_response(&self, number: u64) {
        self.responding.store(number, Relaxed);
    }

    /// hyper has the whole response in its hands.
    pub(super) fn end_request(&self) {
        self.activity.idle.set(self.activity.now());
        self.in_flight.store(false, Relaxed);
    }

    pub(super) fn in_flight(&self) -> bool {
        self.in_flight.load(Relaxed)
    }

    /// The number of the latest request; zero before the first.
    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// The number of the latest request whose response has begun.
    pub(super) fn responding(&self) -> u64 {
        self.responding.load(Relaxed)
    }

    pub(super) fn set_at_boundary(&self, at_boundary: bool) {
        self.at_boundary.store(at_boundary, Relaxed);
    }

    /// Whether all that hyper wanted to write is written.
    pub(super) fn at_boundary(&self) -> bool {
        self.at_boundary.load(Relaxed)
    }

    /// Whether hyper should be polled again at once, since what it can read has changed without a wake-up.
    pub(super) fn take_poll_again(&self) -> bool {
        let again = self.poll_again.load(Relaxed);
        if again {
            self.poll_again.store(false, Relaxed);
        }
        again
    }

    pub(super) fn refuse(&self, refusal: Refusal) {
        // The first one counts.
        let _ = self.refusal.set(refusal);
    }

    pub(super) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.get()
    }

    /// Whether the refusal is still to be reported; true once.
    pub(super) fn report(&self) -> bool {
        !self.reported.swap(true, Relaxed)
    }

    /// A refused head, once every request before it has its whole response.
    pub(super) fn refused_head(&self) -> Option<&Refusal> {
        let refusal = self.refusal()?;
        let answered = self.requests() == refusal.after && !self.in_flight() && self.at_boundary();
        (answered && !refusal.in_body).then_some(refusal)
    }

    pub(super) fn ask_upgrade(&self, upgrade: Upgrade) {
        let asked = match upgrade {
            Upgrade::WebSocket => Negotiation::WebSocket,
            Upgrade::Ignored => Negotiation::Ignored,
        };
        self.upgrade.store(asked as u8, Relaxed);
    }

    pub(super) fn settle_upgrade(&self, granted: bool) {
        let settled = if granted { Negotiation::Granted } else { Negotiation::Denied };
        self.upgrade.store(settled as u8, Relaxed);
        self.poll_again.store(true, Relaxed);
    }

    pub(super) fn forget_upgrade(&self) {
        self.upgrade.store(Negotiation::None as u8, Relaxed);
    }

    pub(super) fn upgrade(&self) -> Negotiation {
        match self.upgrade.load(Relaxed) {
            value if value == Negotiation::WebSocket as u8 => Negotiation::WebSocket,
            value if value == Negotiation::Ignored as u8 => Negotiation::Ignored,
            value if value == Negotiation::Granted as u8 => Negotiation::Granted,
            value if value == Negotiation::Denied as u8 => Negotiation::Denied,
            _ => Negotiation::None,
        }
    }

    pub(super) fn give_back(&self, parts: Parts) {
        *self.returned.lock().unwrap_or_else(PoisonError::into_inner) = Some(parts);
    }

    pub(super) fn take_back(&self) -> Option<Parts> {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
