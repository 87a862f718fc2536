//! How far a request's body has come, for the time limits of the request.
//!
//! 1. Whoever polls the body writes, and the deadline reads. Neither waits for the other.
//! 2. A body is moving, starved or ended. It is starved only while the client has sent nothing that could go on, so
//!    that at each time one side alone is waited for.
//! 3. `moved` never goes back. A body that starves keeps the time of its last part.

use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// How far a request's body has come.
#[derive(Debug)]
pub(crate) struct Progress(Mutex<Snapshot>);

#[derive(Debug, Clone, Copy)]
pub(crate) struct Snapshot {
    /// When the last part of the body went on.
    pub(crate) moved: Instant,
    pub(crate) state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// The upstream has yet to take more.
    Moving,
    /// The client has yet to send more.
    Starved,
    Ended,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(Snapshot { moved: Instant::now(), state: State::Moving }))
    }
}

impl Progress {
    pub(crate) fn moved(&self) {
        self.set(Some(Instant::now()), State::Moving);
    }

    pub(crate) fn starved(&self) {
        self.set(None, State::Starved);
    }

    pub(crate) fn ended(&self) {
        self.set(Some(Instant::now()), State::Ended);
    }

    fn set(&self, moved: Option<Instant>, state: State) {
        let mut snapshot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        snapshot.moved = moved.unwrap_or(snapshot.moved);
        snapshot.state = state;
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
