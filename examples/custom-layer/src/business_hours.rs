//! A policy: it only decides, and core's `PolicyLayer` does the rest.

use std::{
    ops::Range,
    time::{SystemTime, UNIX_EPOCH},
};

use gatewright::{Decision, Immediate, Policy, Rejection};
use http::{StatusCode, header::RETRY_AFTER, request::Parts};

/// Refuses requests that change something, outside these hours of the day (UTC).
pub(crate) struct BusinessHours {
    open: Range<u64>,
}

impl BusinessHours {
    pub(crate) fn new(open: Range<u64>) -> Self {
        Self { open }
    }
}

impl Policy for BusinessHours {
    type Grant = ();
    type Future = Immediate;

    fn name(&self) -> &'static str {
        "business-hours"
    }

    fn decide(&self, request: &mut Parts) -> Decision<(), Immediate> {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let hour = since_epoch.as_secs() / 3600 % 24;
        if request.method.is_safe() || self.open.contains(&hour) {
            return Decision::Allow(());
        }
        // The client sees the status and the sentence. The policy's name and the reason are for the log.
        let refusal = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, self.name(), "closed")
            .detail("The bank is closed.")
            .header(RETRY_AFTER, 3600.into());
        Decision::Refuse(refusal)
    }
}
