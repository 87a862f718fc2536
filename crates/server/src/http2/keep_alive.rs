//! Asking a silent client whether it is still there.

use std::{task::Context, time::Duration};

use h2::{Ping, PingPong};

use super::state::State;
use crate::transport::ticks;

/// A client that says nothing for so long is asked. It may be silent for up to twice as long before.
const INTERVAL: Duration = Duration::from_secs(30);
/// How long it has to say anything at all.
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

    /// When to look again; `None` when the client is gone.
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
            // The answer to the last one makes room for the next.
            let _ = pings.poll_pong(cx);
            // It fails when the connection does.
            let _ = pings.send_ping(Ping::opaque());
        }
        self.due = now + ticks(if self.asked { TIMEOUT } else { INTERVAL });
        Some(self.due)
    }
}
