//! One lazy timer.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep};

/// A timer that wakes a connection now and then, so that it looks at its stamps. The timer is set again only after it has
/// fired, never for a request. Polling it costs one load.
pub(crate) struct Watchdog {
    sleep: Pin<Box<Sleep>>,
    registered: bool,
}

impl Watchdog {
    pub(crate) fn new(first: Instant) -> Self {
        Self { sleep: Box::pin(tokio::time::sleep_until(first)), registered: false }
    }

    /// Whether it is time to look.
    #[inline]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // The same task always polls, so one registration lasts until the timer fires.
        if self.registered && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.registered = true;
        // Tokio would tell a task without cooperative budget to wait, without registering it with the timer.
        pin!(tokio::task::unconstrained(self.sleep.as_mut())).poll(cx)
    }

    /// Sets the time of the next look.
    pub(crate) fn look_at(&mut self, next: Instant) {
        self.sleep.as_mut().reset(next);
        self.registered = false;
    }
}
