//! What stays the same over all attempts of one request.

use std::sync::Arc;

use gatewright_client::Require;
use gatewright_core::{Error, RequestRecord};
use http::Version;
use tokio::time::Instant;

use super::retry_state::RetryState;
use crate::{
    deadline::Limits,
    head::Destination,
    replay::Replay,
    settings::Settings,
    tunnel::Upgrade,
    upstream::{Endpoint, Pick},
};

/// What stays the same over all attempts of one request.
pub(super) struct Exchange {
    pub(super) settings: Arc<Settings>,
    pub(super) destination: Destination,
    pub(super) client_version: Version,
    pub(super) upgrade: Option<Upgrade>,
    /// Whether the method may be carried out twice, and the body is empty or kept.
    pub(super) replayable: bool,
    /// The body as far as it has been read, when it is kept for retries.
    pub(super) replay: Option<Replay>,
    pub(super) started: Instant,
    pub(super) record: Option<RequestRecord>,
}

impl Exchange {
    /// Chooses the endpoint for one more attempt.
    pub(super) fn pick(&self, retry_state: &RetryState) -> Result<Pick, Error> {
        self.settings.upstream.pick(retry_state.failed, Instant::now())
    }

    pub(super) fn require(&self) -> Require {
        if self.upgrade.is_some() { Require::Http1 } else { Require::Any }
    }

    /// Whether one more attempt after this one may be made, if the upstream's budget pays for it.
    pub(super) fn may_resend(&self, retry_state: &RetryState) -> bool {
        self.replayable
            && retry_state.resent < self.settings.retries.attempts()
            && self.replay.as_ref().is_none_or(Replay::is_whole)
    }

    /// Whether the request may be sent once more, and the upstream's budget has paid for it.
    pub(super) fn pays(&self, retry_state: &RetryState) -> bool {
        self.may_resend(retry_state) && self.settings.upstream.budget().pay()
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { timeout: self.settings.timeout, idle_timeout: self.settings.idle_timeout }
    }

    pub(super) fn note_endpoint(&self, endpoint: &Endpoint) {
        if let Some(record) = &self.record {
            record.with(|summary| {
                summary.upstream_after = Some(self.started.into_std() - record.started());
                summary.upstream = Some(self.settings.upstream.name().clone());
                summary.endpoint = Some(endpoint.label.clone());
            });
        }
    }

    pub(super) fn note_time(&self) {
        if let Some(record) = &self.record {
            let elapsed = self.started.elapsed();
            record.with(|summary| summary.upstream_time = Some(elapsed));
        }
    }
}
