//! What stands before the router for all requests.

use gatewright_core::{Decision, Immediate, Policy};
use gatewright_trace::audit::AuditPolicy;
use http::request;

use super::https::RedirectHttps;

/// The policies before the router: whether the audit log has room for the request, and the way to HTTPS.
///
/// They are one, so that the gateway that has neither pays for none.
#[derive(Debug, Clone)]
pub struct Entrance {
    audit: Option<AuditPolicy>,
    https: Option<RedirectHttps>,
}

impl Entrance {
    /// The entrance of these; `None` when there is neither.
    pub(super) fn of(audit: Option<AuditPolicy>, https: Option<RedirectHttps>) -> Option<Self> {
        (audit.is_some() || https.is_some()).then_some(Self { audit, https })
    }
}

impl Policy for Entrance {
    type Grant = ();
    type Future = Immediate;

    /// The audit log has no record of its own decisions. Its refusals carry its own name.
    fn name(&self) -> &'static str {
        match (&self.https, &self.audit) {
            (None, Some(audit)) => audit.name(),
            (Some(https), _) => https.name(),
            (None, None) => "none",
        }
    }

    fn decide(&self, head: &mut request::Parts) -> Decision<(), Immediate> {
        if let Some(audit) = &self.audit {
            let decision = audit.decide(head);
            if !matches!(decision, Decision::Allow(())) {
                return decision;
            }
        }
        match &self.https {
            Some(https) => https.decide(head),
            None => Decision::Allow(()),
        }
    }
}
