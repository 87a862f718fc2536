use std::time::Duration;

use gatewright_trace::Metrics;

use crate::Admin;

/// How long a request may take before it is kept as a slow one.
const SLOW: Duration = Duration::from_secs(1);

/// Builds an [`Admin`].
#[derive(Debug, Clone)]
pub struct AdminBuilder {
    pub(crate) slow: Duration,
    pub(crate) hosts: Vec<String>,
    pub(crate) metrics: Option<Metrics>,
}

impl AdminBuilder {
    pub(crate) fn new() -> Self {
        Self { slow: SLOW, hosts: Vec::new(), metrics: None }
    }

    /// How long a request may take before it is kept as a slow one; 1 s unless set.
    #[must_use]
    pub fn slow(mut self, slow: Duration) -> Self {
        self.slow = slow;
        self
    }

    /// Answers under this name too, without a port: `gateway.internal`. IP addresses and `localhost` need not be named.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Shows these at `/metrics`.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// The admin, which shows nothing yet but its requests.
    pub fn build(self) -> Admin {
        Admin::new(self)
    }
}
