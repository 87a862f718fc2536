//! An authenticator of one's own: badges, which the doorkeeper of a building knows by heart.

use std::collections::HashMap;

use gatewright::{
    Principal,
    auth::{Attempt, Authenticate, Cause, Challenge, Identity, Immediate, Outcome, Refusal},
};
use http::{HeaderName, HeaderValue, request::Parts};

const BADGE: HeaderName = HeaderName::from_static("x-badge");
const HOLDER: HeaderName = HeaderName::from_static("x-badge-holder");

/// Knows who holds which badge.
pub(crate) struct Badges {
    /// What is made of a badge is made once, so that a request only takes a copy of it.
    holders: HashMap<&'static str, Identity>,
    lost: &'static [&'static str],
}

impl Badges {
    pub(crate) fn new(
        holders: &[(&'static str, &'static str, &'static str)],
        lost: &'static [&'static str],
    ) -> Self {
        let identity = |holder: &'static str, scope: &'static str| {
            let principal = Principal::builder(holder, "badge").scopes([scope]).build();
            Identity::new(principal).headers([(HOLDER, HeaderValue::from_static(holder))])
        };
        let holders = holders.iter().map(|(badge, holder, scope)| (*badge, identity(holder, scope))).collect();
        Self { holders, lost }
    }
}

impl Authenticate for Badges {
    // It never waits, and so nothing is boxed.
    type Future = Immediate;

    fn name(&self) -> &'static str {
        "badge"
    }

    fn authenticate(&self, request: &Parts) -> Attempt {
        let mut shown = request.headers.get_all(BADGE).iter();
        let (badge, another) = (shown.next(), shown.next());
        let Some(badge) = badge else { return Outcome::NoCredential.into() };
        let known = match badge.to_str() {
            Ok(badge) if another.is_none() && !self.lost.contains(&badge) => self.holders.get(badge),
            _ => None,
        };
        // The word is for the log; the client only learns that it was refused.
        known.cloned().map_or_else(|| Refusal::invalid("badge_refused").into(), Outcome::from).into()
    }

    fn challenges(&self, cause: Cause<'_>) -> Vec<Challenge> {
        let challenge = Challenge::new("Badge").parameter("realm", "building");
        match cause {
            Cause::Refused => vec![challenge.parameter("error", "refused")],
            _ => vec![challenge],
        }
    }

    fn remove_credentials(&self, request: &mut Parts) {
        request.headers.remove(BADGE);
    }

    // Nor is a badge that is shown after the body for the service.
    fn credential_names(&self) -> Vec<HeaderName> {
        vec![BADGE]
    }

    // Only we may say who holds one.
    fn header_names(&self) -> Vec<HeaderName> {
        vec![HOLDER]
    }
}
