use gatewright_core::{Decision, Immediate, Policy, Rejection, RequestRecord};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER, request};

use super::{AuditLog, OnFailure};

/// Refuses requests with 503 while an audit log cannot take the decisions about them. [`AuditLog::policy`] makes it.
///
/// It stands right inside the [`TraceLayer`](crate::TraceLayer) that the log observes. A request that it has admitted has
/// its room in the log, however full the log becomes until the request ends.
#[derive(Debug, Clone)]
pub struct AuditPolicy {
    pub(super) log: AuditLog,
}

/// The policy's name, in refusals.
pub(super) const NAME: &str = "audit";

impl Policy for AuditPolicy {
    type Grant = ();
    type Future = Immediate;

    fn name(&self) -> &'static str {
        NAME
    }

    fn decide(&self, request: &mut request::Parts) -> Decision<(), Immediate> {
        if self.log.view.on_failure == OnFailure::GoOn {
            return Decision::Allow(());
        }
        let queue = &self.log.handle.queue;
        if queue.has_room() {
            if let Some(record) = RequestRecord::of(&request.extensions) {
                record.with_layers(|_, layers| layers.is_audited = true);
            }
            return Decision::Allow(());
        }
        queue.count_refused();
        let reason = if queue.is_failing() { "failing" } else { "full" };
        let rejection = Rejection::new(StatusCode::SERVICE_UNAVAILABLE, NAME, reason)
            .header(RETRY_AFTER, HeaderValue::from_static("1"));
        Decision::Refuse(rejection)
    }
}
