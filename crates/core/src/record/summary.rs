//! What the layers know of a request.

use std::{sync::Arc, time::Duration};

use http::{HeaderName, HeaderValue};

use super::{RequestRecord, SpanContext};
use crate::{ClientInfo, ErrorKind, Label, Principal, Rejection};

/// What is known of a request so far.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Summary {
    /// Who the client is, after trusted hops.
    pub client: Option<ClientInfo>,
    /// The host that the client asked for, before any rewrite.
    pub host: Option<HeaderValue>,
    /// The value of `x-request-id`.
    pub request_id: Option<HeaderValue>,
    /// The gateway's span in the trace of the request.
    pub span: Option<SpanContext>,
    /// The route that took the request.
    pub route: Option<Label>,
    /// The upstream that the request went to.
    pub upstream: Option<Label>,
    /// The endpoint of that upstream.
    pub endpoint: Option<Label>,
    /// From the beginning of the request to the first choice of an endpoint: the time that the gateway itself took.
    pub upstream_after: Option<Duration>,
    /// From the choice of the endpoint to the upstream's response head, over all attempts.
    pub upstream_time: Option<Duration>,
    /// Who calls.
    pub principal: Option<Principal>,
    /// The refusal, when a policy refused.
    pub rejection: Option<Rejection>,
    /// The refusal that a policy on trial (a dry run) would have made. The request went on.
    pub would_reject: Option<Rejection>,
    /// The failure, when the request could not be carried out.
    pub error: Option<ErrorKind>,
}

/// What a policy decided about a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PolicyDecision {
    /// The policy.
    pub policy: Label,
    /// What it decided.
    pub verdict: PolicyVerdict,
    /// How long the request waited for the decision; `None` when the policy decided at once.
    pub waited: Option<Duration>,
}

/// What can become of a request at a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyVerdict {
    /// The request went on.
    Admitted,
    /// The policy refused the request.
    Refused,
    /// The policy answered the request in place of the service.
    Answered,
}

/// The part of a record that Gatewright's layers alone write. It is no part of the public interface.
#[doc(hidden)]
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct LayerState {
    /// Whether [`claims`](crate::claims) that the client may not make have been removed from the request.
    pub claims_removed: bool,
    /// Whether the fields in which a client says who calls have been removed, so that such fields are a layer's own now.
    pub identity_removed: bool,
    /// Fields that no trailer may have, beside those of [`claims`](crate::claims) and those that
    /// [never trail](crate::trailers::may_trail): fields in which a layer says who calls, fields in which callers send
    /// credentials, and fields that a rewrite takes out of the head.
    pub not_in_trailers: Option<Arc<[HeaderName]>>,
    rare: Option<Box<Rare>>,
}

/// What few requests have. It stands apart, so that a record stays small.
#[derive(Debug, Default)]
struct Rare {
    decisions: Vec<PolicyDecision>,
    legs: Vec<(Label, RequestRecord)>,
}

impl LayerState {
    /// The decisions of policies in order, when somebody [watches](RequestRecord::watch_decisions) them.
    pub fn decisions(&self) -> &[PolicyDecision] {
        self.rare.as_ref().map_or(&[], |rare| &rare.decisions)
    }

    pub(crate) fn add_decision(&mut self, decision: PolicyDecision) {
        self.rare.get_or_insert_default().decisions.push(decision);
    }

    /// The records of the parts of a composed request, in the order in which they began.
    pub fn legs(&self) -> &[(Label, RequestRecord)] {
        self.rare.as_ref().map_or(&[], |rare| &rare.legs)
    }

    pub(super) fn add_leg(&mut self, part: Label, leg: RequestRecord) {
        self.rare.get_or_insert_default().legs.push((part, leg));
    }

    /// The state with which a leg of this request begins.
    pub(super) fn of_leg(&self) -> Self {
        Self {
            claims_removed: self.claims_removed,
            identity_removed: self.identity_removed,
            not_in_trailers: self.not_in_trailers.clone(),
            rare: None,
        }
    }

    /// Adds names to those [that no trailer may have](Self::not_in_trailers).
    pub fn bar_from_trailers(&mut self, names: &Arc<[HeaderName]>) {
        if names.is_empty() {
            return;
        }
        self.not_in_trailers = Some(match self.not_in_trailers.take() {
            None => Arc::clone(names),
            Some(before) => before.iter().chain(&**names).cloned().collect(),
        });
    }
}
