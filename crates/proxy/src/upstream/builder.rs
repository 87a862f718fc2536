//! Building an upstream.

use std::{sync::Arc, time::Duration};

#[cfg(feature = "tls")]
use gatewright_client::ClientTls;
use gatewright_client::{Protocol, Resolver, Target};

use super::{Upstream, endpoint::EndpointSettings, endpoint_set::EndpointSet};
use crate::error::ProxyError;

/// Builds an [`Upstream`].
#[derive(Debug, Clone)]
#[must_use]
pub struct UpstreamBuilder {
    name: Arc<str>,
    targets: Vec<(String, u32)>,
    may_be_empty: bool,
    settings: EndpointSettings,
}

impl Upstream {
    /// Starts an upstream of this name. Logs and metrics call it so.
    pub fn builder(name: impl Into<Arc<str>>) -> UpstreamBuilder {
        UpstreamBuilder {
            name: name.into(),
            targets: Vec::new(),
            may_be_empty: false,
            settings: EndpointSettings::new(),
        }
    }
}

impl UpstreamBuilder {
    /// Adds a target, `host:port`.
    pub fn target(self, target: impl Into<String>) -> Self {
        self.weighted_target(target, 1)
    }

    /// Adds a target that takes `weight` turns (1 to 100) where others take one.
    pub fn weighted_target(mut self, target: impl Into<String>, weight: u32) -> Self {
        self.targets.push((target.into(), weight));
        self
    }

    /// Lets the upstream begin without a target. Requests are answered with 503 until
    /// [`set_targets`](Upstream::set_targets) gives it one.
    pub fn without_targets(mut self) -> Self {
        self.may_be_empty = true;
        self
    }

    /// The protocol to speak.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.settings.protocol = protocol;
        self
    }

    /// Speaks TLS.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.settings.tls = Some(tls);
        self
    }

    /// Shares a resolver with other upstreams.
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.settings.resolver = resolver;
        self
    }

    /// How long resolving, connecting and the TLS handshake may take together. 5 s unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = timeout;
        self
    }

    /// How long an idle connection is kept; it must be less than the upstream's own keep-alive. 4 s unless set.
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.settings.keep_alive = keep_alive;
        self
    }

    /// How many connections each target may have; without a bound unless set.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = Some(connections);
        self
    }

    /// Size of a response's head in bytes; one that is larger is answered with 502. 64 KiB unless set.
    pub fn max_response_head(mut self, bytes: usize) -> Self {
        self.settings.max_response_head = Some(bytes);
        self
    }

    /// Number of field lines of a response's head; one that has more is answered with 502. 256 unless set.
    pub fn max_response_headers(mut self, lines: u16) -> Self {
        self.settings.max_response_headers = Some(lines);
        self
    }

    /// The upstream.
    ///
    /// # Errors
    ///
    /// When there is no target, a target is not `host:port`, or a weight is not from 1 to 100.
    pub fn build(self) -> Result<Upstream, ProxyError> {
        if self.targets.is_empty() && !self.may_be_empty {
            return Err(ProxyError::new(format!(
                "the upstream `{}` needs a target, such as orders:8080",
                self.name
            )));
        }
        let mut targets: Vec<(Target, u32)> = Vec::with_capacity(self.targets.len());
        for (text, weight) in &self.targets {
            targets.push((text.parse()?, *weight));
        }
        let endpoints = EndpointSet::new(&targets, &self.settings, &[])?;
        Ok(Upstream::new(&self.name, self.settings, endpoints))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_upstream_says_what_to_mend() {
        let message = |builder: UpstreamBuilder| builder.build().expect_err("is refused").to_string();
        assert!(message(Upstream::builder("orders")).contains("needs a target"));
        assert!(message(Upstream::builder("u").target("http://a:1")).contains("leave the scheme away"));
        assert!(message(Upstream::builder("u").weighted_target("a:1", 0)).contains("from 1 to 100"));
    }
}
