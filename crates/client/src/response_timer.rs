//! A timer for a response, which hardly ever takes too long.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep};

/// A timer that stays set from one wait to the next. Most waits end long before they are due. Setting and clearing a timer
/// for each of them costs more than one wakeup in vain.
#[derive(Default)]
pub(crate) struct ResponseTimer(Option<Pin<Box<Sleep>>>);

impl ResponseTimer {
    /// Ready from `due` on.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        if sleep.deadline() > due {
            sleep.as_mut().reset(due);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
    }
}

impl fmt::Debug for ResponseTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ResponseTimer").field(&self.0.as_ref().map(|sleep| sleep.deadline())).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use super::*;

    async fn waited(timer: &mut ResponseTimer, time: Duration) -> Duration {
        let start = Instant::now();
        poll_fn(|cx| timer.poll(cx, start + time)).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_due_on_time_however_it_was_set_before() {
        let mut timer = ResponseTimer::default();
        for seconds in [5, 30, 1, 1, 60] {
            // Set, and not waited for.
            let far = Instant::now() + Duration::from_secs(20);
            assert!(poll_fn(|cx| Poll::Ready(timer.poll(cx, far))).await.is_pending());
            let time = Duration::from_secs(seconds);
            assert_eq!(waited(&mut timer, time).await.as_secs(), seconds);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_past_is_due_at_once() {
        let mut timer = ResponseTimer::default();
        let start = Instant::now();
        assert_eq!(waited(&mut timer, Duration::from_secs(3)).await.as_secs(), 3);
        poll_fn(|cx| timer.poll(cx, start)).await;
        assert_eq!(start.elapsed().as_secs(), 3);
    }
}
