use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use gatewright_core::{Decision, Immediate, Lease, Policy, Rejection, RequestRecord};
use http::{StatusCode, request::Parts};

use super::{
    layer::Settings,
    permits::{Permit, Permits},
};

const NAME: &str = "concurrency-limit";

/// Admits a request when fewer requests of its key are under way than the limit allows.
///
/// An admitted request holds a permit until its response's body has ended, or the tunnel that it becomes. The rules are
/// those of [`ConcurrencyLimitLayer`](super::ConcurrencyLimitLayer).
pub struct ConcurrencyLimit(Arc<Settings>);

impl ConcurrencyLimit {
    pub(super) fn new(settings: Settings) -> Self {
        Self(Arc::new(settings))
    }
}

impl Policy for ConcurrencyLimit {
    /// `None` for a request that a dry run would have refused.
    type Grant = Option<Lease>;
    type Future = Immediate<Option<Lease>>;

    fn name(&self) -> &'static str {
        NAME
    }

    fn decide(&self, request: &mut Parts) -> Decision<Self::Grant, Self::Future> {
        match self.0.admit(request) {
            Ok(permit) => Decision::Allow(permit.map(Lease::new)),
            Err(refusal) => Decision::Refuse(refusal),
        }
    }

    fn lease(&self, grant: &mut Self::Grant) -> Option<Lease> {
        grant.take()
    }
}

impl Settings {
    /// A permit; a dry run needs none.
    fn admit(&self, request: &Parts) -> Result<Option<Permit>, Rejection> {
        let refusal = match self.key.of(request) {
            Ok((key, _)) => match Permits::take(&self.permits, &key) {
                Some(permit) => return Ok(Some(permit)),
                None => Rejection::new(StatusCode::TOO_MANY_REQUESTS, NAME, "too_many_at_once")
                    .detail("Too many requests at once. Try again when one of them has ended.")
                    .header(http::header::RETRY_AFTER, 1.into()),
            },
            Err(_) => Rejection::new(StatusCode::FORBIDDEN, NAME, "no_key"),
        };
        self.refused.fetch_add(1, Ordering::Relaxed);
        if !self.dry_run {
            return Err(refusal);
        }
        if let Some(record) = RequestRecord::of(&request.extensions) {
            record.with(|summary| summary.would_reject = Some(refusal));
        }
        Ok(None)
    }
}

impl fmt::Debug for ConcurrencyLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConcurrencyLimit").field("key", &self.0.key).finish_non_exhaustive()
    }
}
