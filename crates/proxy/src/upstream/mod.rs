//! A service behind the gateway, and its endpoints.

mod activity;
mod budget;
mod builder;
mod endpoint;
mod endpoint_set;
mod failure_log;
mod pick;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use gatewright_client::{PoolStats, Target};
use gatewright_core::{Error, ErrorKind, Label, LabelKind};
use http::uri::Scheme;
use tokio::time::Instant;

pub use self::{
    activity::{EndpointHealth, EndpointStatus},
    builder::UpstreamBuilder,
};
use self::{budget::Budget, endpoint::EndpointSettings, endpoint_set::EndpointSet, failure_log::FailureLog};
pub(crate) use self::{
    endpoint::{Endpoint, EndpointId},
    pick::Pick,
};
use crate::{balance::RoundRobin, error::ProxyError};

/// A service behind the gateway: one or several targets that answer alike, taken in turn. Clones share their
/// connections, and a change of the targets.
#[derive(Clone)]
pub struct Upstream {
    inner: Arc<Inner>,
}

struct Inner {
    name: Label,
    endpoints: ArcSwap<EndpointSet>,
    /// Held while the endpoints are replaced, so that no two changes begin with the same set.
    replacing: Mutex<()>,
    settings: EndpointSettings,
    balancer: RoundRobin,
    budget: Budget,
    /// Requests that were not sent to any endpoint.
    failures: FailureLog,
}

impl Upstream {
    fn new(name: &str, settings: EndpointSettings, endpoints: EndpointSet) -> Self {
        Self {
            inner: Arc::new(Inner {
                name: Label::new(LabelKind::Upstream, name),
                endpoints: ArcSwap::from_pointee(endpoints),
                replacing: Mutex::new(()),
                settings,
                balancer: RoundRobin::default(),
                budget: Budget::new(),
                failures: FailureLog::default(),
            }),
        }
    }

    /// Its name.
    pub fn name(&self) -> &Label {
        &self.inner.name
    }

    /// Its targets at the moment.
    pub fn targets(&self) -> Vec<Target> {
        let set = self.inner.endpoints.load();
        set.endpoints().iter().map(|endpoint| endpoint.pool.target().clone()).collect()
    }

    /// How each of its endpoints fares at the moment, in the order of the targets.
    pub fn endpoints(&self) -> Vec<EndpointStatus> {
        let set = self.inner.endpoints.load();
        set.endpoints().iter().map(|endpoint| endpoint.activity.status(&endpoint.label)).collect()
    }

    /// What the connections to each of its endpoints have done so far, in the order of the targets.
    pub fn connections(&self) -> Vec<(Label, PoolStats)> {
        let set = self.inner.endpoints.load();
        set.endpoints().iter().map(|endpoint| (endpoint.label.clone(), endpoint.pool.stats())).collect()
    }

    /// Replaces the targets, each with its weight (1 to 100), while requests run.
    ///
    /// A target that stays keeps its connections, and the requests that wait for one. A target that goes finishes the
    /// requests that were given to it, and closes its connections as they fall idle. Without a target, requests fail
    /// with [`ErrorKind::NoEndpoint`], a 503.
    ///
    /// ```
    /// # use gatewright_proxy::Upstream;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let users = Upstream::builder("users").target("10.0.1.4:8080").build()?;
    /// users.set_targets([("10.0.1.4:8080".parse()?, 1), ("10.0.1.5:8080".parse()?, 2)])?;
    /// assert_eq!(users.targets().len(), 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When a weight is not from 1 to 100. Nothing has changed then.
    pub fn set_targets(&self, targets: impl IntoIterator<Item = (Target, u32)>) -> Result<(), ProxyError> {
        let targets: Vec<(Target, u32)> = targets.into_iter().collect();
        let _replacing = self.inner.replacing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.inner.endpoints.load_full();
        let after = EndpointSet::new(&targets, &self.inner.settings, before.endpoints())?;
        let gone = before.endpoints().iter().filter(|endpoint| !after.contains(endpoint.id()));
        let gone: Vec<_> = gone.map(Arc::clone).collect();
        self.inner.endpoints.store(Arc::new(after));
        for endpoint in gone {
            endpoint.pool.drain();
        }
        Ok(())
    }

    /// How many endpoints it has at the moment.
    pub(crate) fn endpoint_count(&self) -> usize {
        self.inner.endpoints.load().endpoints().len()
    }

    /// Chooses an endpoint for an attempt; after a failure, another one where there is one.
    ///
    /// # Errors
    ///
    /// When there is no endpoint.
    pub(crate) fn pick(&self, failed: Option<EndpointId>, now: Instant) -> Result<Pick, Error> {
        let set = self.inner.endpoints.load();
        match set.choose(&self.inner.balancer, failed) {
            Some(endpoint) => Ok(Pick::new(Arc::clone(endpoint), now)),
            None => Err(self.no_endpoint()),
        }
    }

    #[cold]
    fn no_endpoint(&self) -> Error {
        let error = Error::new(ErrorKind::NoEndpoint, "its list of targets is empty");
        self.note_failure(&error);
        error
    }

    /// How the attempts at its endpoints have ended so far.
    #[cfg(test)]
    pub(crate) fn outcomes(&self) -> Vec<crate::balance::Outcome> {
        let set = self.inner.endpoints.load();
        let outcomes =
            set.endpoints().iter().map(|endpoint| endpoint.outcomes.lock().expect("no panic").clone());
        outcomes.collect::<Vec<_>>().concat()
    }

    /// Notes that a request failed which was sent to no endpoint.
    pub(crate) fn note_failure(&self, error: &Error) {
        self.inner.failures.note(&self.inner.name, error);
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.inner.budget
    }

    pub(crate) fn scheme(&self) -> Scheme {
        if self.inner.settings.is_secure() { Scheme::HTTPS } else { Scheme::HTTP }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.inner.name)
            .field("targets", &self.targets())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
