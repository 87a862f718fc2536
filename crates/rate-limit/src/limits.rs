//! The limits of one route or one consumer, made ready.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use gatewright_core::Quota;
use http::HeaderValue;

use crate::{gcra::Rate, headers};

/// Several limits that hold at once for the same key.
#[derive(Debug)]
pub(crate) struct Limits {
    limits: Box<[Limit]>,
    /// The value of `RateLimit-Policy`.
    policy: HeaderValue,
}

#[derive(Debug)]
pub(crate) struct Limit {
    /// What it is called in the headers: a string of structured fields, with its quotes.
    pub(crate) label: Box<str>,
    pub(crate) quota: Quota,
    pub(crate) rate: Rate,
    /// Sets its buckets apart from those of other limits in the same store.
    pub(crate) id: u64,
    /// The same as text, on every node.
    #[cfg(feature = "redis")]
    pub(crate) text: Box<str>,
}

impl Limits {
    /// Limits of a name, in a scope of buckets; a limit that is written twice counts once.
    pub(crate) fn new(name: &str, scope: &str, quotas: &[Quota]) -> Self {
        let mut distinct: Vec<Quota> = Vec::with_capacity(quotas.len());
        for quota in quotas {
            if !distinct.contains(quota) {
                distinct.push(*quota);
            }
        }
        let alone = distinct.len() == 1;
        let limits: Box<[Limit]> =
            distinct.into_iter().map(|quota| Limit::new(name, scope, quota, alone)).collect();
        let policy = headers::policy(&limits);
        Self { limits, policy }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Limit> {
        self.limits.iter()
    }

    pub(crate) fn policy(&self) -> &HeaderValue {
        &self.policy
    }
}

impl Limit {
    fn new(name: &str, scope: &str, quota: Quota, alone: bool) -> Self {
        let label = match (name, alone) {
            ("", _) => period_name(quota.period()),
            (name, true) => name.to_owned(),
            (name, false) => format!("{name}-{}", period_name(quota.period())),
        };
        // Not keyed: what goes in is the operator's.
        let mut hasher = DefaultHasher::new();
        (name, scope, quota).hash(&mut hasher);
        Self {
            label: headers::string(&label).into(),
            quota,
            rate: Rate::new(quota),
            id: hasher.finish(),
            #[cfg(feature = "redis")]
            text: Self::text(name, scope, quota),
        }
    }

    #[cfg(feature = "redis")]
    fn text(name: &str, scope: &str, quota: Quota) -> Box<str> {
        let mut text = String::new();
        crate::redis::escape(name.as_bytes(), &mut text);
        if !scope.is_empty() {
            // Nothing that is escaped holds one.
            text.push('|');
            crate::redis::escape(scope.as_bytes(), &mut text);
        }
        format!("{text}/{}/{}ms/{}", quota.units(), quota.period().as_millis(), quota.burst_size()).into()
    }

    /// The quota and the window in seconds that describe it. What a bucket holds and how long it takes to refill say
    /// it best; where that is less than a second, the rate as it was written does.
    pub(crate) fn described(&self) -> (u32, u64) {
        let refill = self.rate.refill();
        if refill < Duration::from_secs(1) {
            return (self.quota.units(), headers::seconds(self.quota.period()));
        }
        (self.rate.burst, headers::seconds(refill))
    }
}

fn period_name(period: Duration) -> String {
    match (period.as_secs(), period.subsec_nanos()) {
        (1, 0) => "second".to_owned(),
        (60, 0) => "minute".to_owned(),
        (3_600, 0) => "hour".to_owned(),
        (86_400, 0) => "day".to_owned(),
        (seconds, 0) => format!("{seconds}s"),
        _ => format!("{}ms", period.as_millis()),
    }
}
