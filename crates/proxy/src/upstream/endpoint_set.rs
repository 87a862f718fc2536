//! The endpoints that an upstream has at one time.
//!
//! 1. A set never changes. A change of the upstream's targets makes a new set, which takes the place of the old one at
//!    once: a request sees all of a change or nothing of it.
//! 2. A target that stays keeps its endpoint, and so its connections, its limits and its log. Its weight may change.
//! 3. A target that is listed twice has two endpoints.

use std::{collections::HashMap, sync::Arc};

use gatewright_client::Target;

use super::{Endpoint, EndpointId, endpoint::EndpointSettings};
use crate::{
    balance::{RoundRobin, Turns},
    error::ProxyError,
};

/// The endpoints that an upstream has at one time, and their turns.
#[derive(Debug)]
pub(super) struct EndpointSet {
    endpoints: Box<[Arc<Endpoint>]>,
    turns: Turns,
}

impl EndpointSet {
    /// The endpoints of these targets, each with its weight. Those that are in `before` already are taken from there.
    ///
    /// # Errors
    ///
    /// When a weight is not from 1 to 100, or a target cannot be a `Host`.
    pub(super) fn new(
        targets: &[(Target, u32)],
        settings: &EndpointSettings,
        before: &[Arc<Endpoint>],
    ) -> Result<Self, ProxyError> {
        let mut known: HashMap<&str, Vec<&Arc<Endpoint>>> = HashMap::new();
        for endpoint in before.iter().rev() {
            known.entry(&endpoint.label).or_default().push(endpoint);
        }
        let mut weights = Vec::with_capacity(targets.len());
        let mut endpoints = Vec::with_capacity(targets.len());
        for (target, weight) in targets {
            if !(1..=100).contains(weight) {
                return Err(ProxyError::new(format!(
                    "the weight of `{target}` is {weight}; it is from 1 to 100"
                )));
            }
            weights.push(*weight);
            endpoints.push(match known.get_mut(&**target.as_str()).and_then(Vec::pop) {
                Some(endpoint) => Arc::clone(endpoint),
                None => Arc::new(settings.endpoint(target)?),
            });
        }
        Ok(Self { endpoints: endpoints.into(), turns: Turns::new(&weights) })
    }

    pub(super) fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    pub(super) fn contains(&self, endpoint: EndpointId) -> bool {
        self.endpoints.iter().any(|known| known.id() == endpoint)
    }

    /// The endpoint whose turn it is; after a failure, another one where there is one.
    pub(super) fn choose(&self, balancer: &RoundRobin, failed: Option<EndpointId>) -> Option<&Arc<Endpoint>> {
        let has_failed = |position: usize| Some(self.endpoints[position].id()) == failed;
        balancer.choose(&self.turns, has_failed).map(|position| &self.endpoints[position])
    }
}
