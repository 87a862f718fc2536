//! How long the response's head may take.
//!
//! 1. One side is waited for at a time: the client while its body starves, the upstream otherwise.
//! 2. The wait for the client begins with the last part of the body, and ends after the idle timeout.
//! 3. The wait for the upstream begins with the last part of the body, or with the request when it has no body, and ends
//!    after the timeout.
//! 4. A response that is there is taken, even when its time has run out.
//! 5. No timer is made for a request whose response comes at once: the connection keeps one.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use gatewright_client::Sending;
use gatewright_core::{Error, ErrorKind};
use pin_project_lite::pin_project;
use tokio::time::Instant;

use crate::{
    progress::{Progress, Snapshot, State},
    request_body::RequestBody,
};

/// The time limits of one request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the end of the request, or the last part of its body, to the response's head.
    pub(crate) timeout: Duration,
    /// Between two parts of the request's body.
    pub(crate) idle_timeout: Duration,
}

/// A future that brings a timer along.
pub(crate) trait PollDeadline {
    /// Ready at `due`.
    fn poll_due(self: Pin<&mut Self>, cx: &mut Context<'_>, due: Instant) -> Poll<()>;
}

impl PollDeadline for Sending<RequestBody> {
    fn poll_due(self: Pin<&mut Self>, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        self.get_mut().poll_due(cx, due.into_std())
    }
}

pin_project! {
    /// Waits for the head of a response within the limits.
    // Not an async function: its future would hold the response's future twice.
    pub(crate) struct Deadline<F> {
        #[pin]
        response: F,
        limits: Limits,
        progress: Option<Arc<Progress>>,
        started: Instant,
        // When to look next, at the latest.
        due: Instant,
    }
}

impl<F> Deadline<F> {
    /// `started` is the time at which the request was sent.
    pub(crate) fn new(response: F, limits: Limits, progress: Option<Arc<Progress>>, started: Instant) -> Self {
        let first = if progress.is_some() { limits.timeout.min(limits.idle_timeout) } else { limits.timeout };
        Self { response, limits, progress, started, due: started + first }
    }
}

impl<F: Future + PollDeadline> Future for Deadline<F> {
    type Output = Result<F::Output, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(response) = this.response.as_mut().poll(cx) {
            return Poll::Ready(Ok(response));
        }
        let Limits { timeout, idle_timeout } = *this.limits;
        loop {
            ready!(this.response.as_mut().poll_due(cx, *this.due));
            // The side that has to move, and the time until which it may.
            let (since, limit, kind) = match this.progress.as_deref().map(Progress::snapshot) {
                None => (*this.started, timeout, ErrorKind::ResponseTimeout),
                Some(Snapshot { moved, state: State::Starved }) => {
                    (moved, idle_timeout, ErrorKind::RequestBodyTimeout)
                }
                Some(Snapshot { moved, .. }) => (moved, timeout, ErrorKind::ResponseTimeout),
            };
            let now = Instant::now();
            if now >= since + limit {
                return Poll::Ready(Err(Error::new(kind, format!("waited for {limit:?}"))));
            }
            // The other side may have to move by then, so look again after the shorter of both limits.
            *this.due = (since + limit).min(now + timeout.min(idle_timeout));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Sleep;

    use super::*;

    const LIMITS: Limits = Limits { timeout: Duration::from_secs(5), idle_timeout: Duration::from_secs(60) };

    /// An upstream that never answers.
    struct Silence(Pin<Box<Sleep>>);

    impl Future for Silence {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }

    impl PollDeadline for Silence {
        fn poll_due(mut self: Pin<&mut Self>, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
            self.0.as_mut().reset(due);
            self.0.as_mut().poll(cx)
        }
    }

    async fn waited(progress: Option<Arc<Progress>>) -> (ErrorKind, u64) {
        let started = Instant::now();
        let response = Silence(Box::pin(tokio::time::sleep(Duration::ZERO)));
        let error = Deadline::new(response, LIMITS, progress, started).await.expect_err("it never answers");
        (error.kind(), started.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_body_the_head_is_due_at_once() {
        assert_eq!(waited(None).await, (ErrorKind::ResponseTimeout, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_the_upstream_does_not_take_counts_against_the_upstream() {
        let progress = Arc::new(Progress::default());
        assert_eq!(waited(Some(Arc::clone(&progress))).await, (ErrorKind::ResponseTimeout, 5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_the_client_does_not_send_counts_against_the_client() {
        let progress = Arc::new(Progress::default());
        progress.starved();
        assert_eq!(waited(Some(Arc::clone(&progress))).await, (ErrorKind::RequestBodyTimeout, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_moves_may_take_its_time() {
        let progress = Arc::new(Progress::default());
        let uploading = async {
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(4)).await;
                progress.moved();
            }
            progress.ended();
            std::future::pending::<()>().await;
        };
        let waiting = waited(Some(Arc::clone(&progress)));
        let outcome = tokio::select! { outcome = waiting => outcome, () = uploading => unreachable!() };
        assert_eq!(outcome, (ErrorKind::ResponseTimeout, 45));
    }
}
