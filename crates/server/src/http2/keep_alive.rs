//! Pings for a silent client, to learn whether the client is still there.

use std::{task::Context, time::Duration};

use h2::{Ping, PingPong};

use super::state::State;
use crate::transport::ticks;

/// A client that was silent for a whole interval gets a ping. The silence is between one and two intervals long by then.
const INTERVAL: Duration = Duration::from_secs(30);
/// The time in which the client must send something after a ping.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct KeepAlive {
    pings: Option<PingPong>,
    /// When to look again.
    due: u64,
    asked: bool,
}

impl KeepAlive {
    pub(super) fn new(pings: Option<PingPong>, state: &State) -> Self {
        Self { pings, due: state.activity().now() + ticks(INTERVAL), asked: false }
    }

    /// The stamp at which to look again; `None` if the client is gone.
    pub(super) fn look(&mut self, state: &State, cx: &mut Context<'_>) -> Option<u64> {
        let now = state.activity().now();
        if self.due > now {
            return Some(self.due);
        }
        let heard = state.take_heard();
        if self.asked && !heard {
            return None;
        }
        self.asked = !heard;
        if self.asked
            && let Some(pings) = &mut self.pings
        {
            // h2 sends no ping while it still holds the answer to the last one.
            let _ = pings.poll_pong(cx);
            // This fails only when the connection fails.
            let _ = pings.send_ping(Ping::opaque());
        }
        self.due = now + ticks(if self.asked { TIMEOUT } else { INTERVAL });
        Some(self.due)
    }
}
