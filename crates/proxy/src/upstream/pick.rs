//! An endpoint that was chosen for one attempt.
//!
//! 1. Each attempt has one pick, from the choice of its endpoint until the response's body has ended, has failed or was
//!    dropped; of an upgraded connection until the tunnel has ended.
//! 2. A pick holds its endpoint. An endpoint that leaves its upstream is there until its last pick is gone.
//! 3. A pick tells its endpoint once how the attempt ended: when it is dropped. An attempt that nobody has called
//!    answered or failed by then was abandoned.

use std::sync::Arc;

use gatewright_core::{Error, Side};
use http::StatusCode;
use tokio::time::Instant;

use super::Endpoint;
use crate::balance::Outcome;

/// An endpoint that was chosen for one attempt.
#[derive(Debug)]
pub(crate) struct Pick {
    endpoint: Arc<Endpoint>,
    since: Instant,
    outcome: Outcome,
}

impl Pick {
    pub(super) fn new(endpoint: Arc<Endpoint>, now: Instant) -> Self {
        endpoint.activity.begin();
        Self { endpoint, since: now, outcome: Outcome::Abandoned(None) }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Notes that the request goes on its way now.
    pub(crate) fn send(&mut self, now: Instant) {
        self.since = now;
    }

    /// Notes that the head of a response has come.
    pub(crate) fn answer(&mut self, status: StatusCode) {
        self.outcome = Outcome::Abandoned(Some(status));
        self.endpoint.note_answer();
    }

    /// The response is whole, or no more of it is wanted.
    pub(crate) fn complete(mut self) {
        if let Outcome::Abandoned(Some(status)) = self.outcome {
            self.outcome = Outcome::Answered(status);
        }
    }

    /// The attempt has failed, and the request is sent again for free. The log does not tell of it.
    pub(crate) fn retract(mut self, error: &Error) {
        self.outcome = Outcome::Failed(error.kind());
    }

    /// The attempt has failed. The log tells of it if the endpoint is at fault.
    pub(crate) fn fail(mut self, error: &Error) {
        self.outcome = Outcome::Failed(error.kind());
        if error.side() == Side::Upstream {
            self.endpoint.note_failure(error);
        }
    }

    /// There was no connection for the attempt. The log tells of it.
    pub(crate) fn fail_unconnected(mut self, error: &Error) {
        self.outcome = Outcome::Failed(error.kind());
        self.endpoint.note_failure(error);
    }
}

impl Drop for Pick {
    fn drop(&mut self) {
        self.endpoint.note_outcome(self.outcome, self.since);
    }
}
