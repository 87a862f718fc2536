//! One lazy timer.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
};

use tokio::time::{Instant, Sleep};

/// A timer that wakes a connection now and then, to look at its stamps. It is armed anew when it has fired, never for
/// a request; polling it costs one load.
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
        // The task that polls is always the same, so that one registration holds until the timer fires.
        if self.registered && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.registered = true;
        // A task that has used up its budget would be told to wait without being registered.
        pin!(tokio::task::unconstrained(self.sleep.as_mut())).poll(cx)
    }

    /// Looks again then.
    pub(crate) fn look_at(&mut self, next: Instant) {
        self.sleep.as_mut().reset(next);
        self.registered = false;
    }
}
