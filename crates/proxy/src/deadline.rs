//! How long the response's head may take.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Mutex, PoisonError},
    task::Poll,
    time::Duration,
};

use gatewright_core::{Error, ErrorKind};
use tokio::time::Instant;

/// How far a request's body has come.
#[derive(Debug)]
pub(crate) struct Progress(Mutex<Stand>);

#[derive(Debug, Clone, Copy)]
struct Stand {
    /// When the last part of the body went on.
    moved: Instant,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The upstream has yet to take more.
    Moving,
    /// The client has yet to send more.
    Starved,
    Ended,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(Stand { moved: Instant::now(), state: State::Moving }))
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
        let mut stand = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stand.moved = moved.unwrap_or(stand.moved);
        stand.state = state;
    }

    fn stand(&self) -> Stand {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time limits of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the end of the request, or the last part of its body, to the response's head.
    pub(crate) timeout: Duration,
    /// Between two parts of the request's body.
    pub(crate) idle_timeout: Duration,
}

/// Waits for the response's head within the limits.
pub(crate) async fn within<T>(
    limits: Limits,
    progress: Option<&Progress>,
    mut response: Pin<&mut impl Future<Output = T>>,
) -> Result<T, Error> {
    let started = Instant::now();
    // Which side has to move, and until when.
    let due = || match progress.map(Progress::stand) {
        None => (started + limits.timeout, ErrorKind::ResponseTimeout),
        Some(Stand { moved, state: State::Starved }) => {
            (moved + limits.idle_timeout, ErrorKind::RequestBodyTimeout)
        }
        Some(Stand { moved, .. }) => (moved + limits.timeout, ErrorKind::ResponseTimeout),
    };
    let first = limits.timeout.min(if progress.is_some() { limits.idle_timeout } else { limits.timeout });
    let mut timer = pin!(tokio::time::sleep_until(started + first));
    std::future::poll_fn(|cx| {
        if let Poll::Ready(response) = response.as_mut().poll(cx) {
            return Poll::Ready(Ok(response));
        }
        while timer.as_mut().poll(cx).is_ready() {
            let (at, kind) = due();
            if Instant::now() >= at {
                let limit =
                    if kind == ErrorKind::ResponseTimeout { limits.timeout } else { limits.idle_timeout };
                return Poll::Ready(Err(Error::new(kind, format!("waited for {limit:?}"))));
            }
            // The body may change hands meanwhile, so look again after the shorter of both limits.
            timer.as_mut().reset(at.min(Instant::now() + first));
        }
        Poll::Pending
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { timeout: Duration::from_secs(5), idle_timeout: Duration::from_secs(60) };

    async fn waited(progress: Option<&Progress>) -> (ErrorKind, u64) {
        let started = Instant::now();
        let error =
            within(LIMITS, progress, pin!(std::future::pending::<()>())).await.expect_err("it never answers");
        (error.kind(), started.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_body_the_head_is_due_at_once() {
        assert_eq!(waited(None).await, (ErrorKind::ResponseTimeout, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_the_upstream_does_not_take_counts_against_the_upstream() {
        let progress = Progress::default();
        assert_eq!(waited(Some(&progress)).await, (ErrorKind::ResponseTimeout, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_the_client_does_not_send_counts_against_the_client() {
        let progress = Progress::default();
        progress.starved();
        assert_eq!(waited(Some(&progress)).await, (ErrorKind::RequestBodyTimeout, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_moves_may_take_its_time() {
        let progress = Progress::default();
        let uploading = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(4)).await;
                progress.moved();
            }
            progress.ended();
            std::future::pending::<()>().await;
        };
        let waiting = waited(Some(&progress));
        let outcome = tokio::select! { outcome = waiting => outcome, () = uploading => unreachable!() };
        assert_eq!(outcome, (ErrorKind::ResponseTimeout, 45));
    }
}
