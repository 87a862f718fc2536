//! Builds the service.

use std::time::Duration;

use crate::{
    error::ProxyError, retries::Retries, service::ProxyService, settings::Settings, upstream::Upstream,
};

/// Builds a [`ProxyService`].
#[derive(Debug, Clone)]
#[must_use]
pub struct ProxyBuilder {
    upstream: Option<Upstream>,
    target: Option<String>,
    timeout: Duration,
    connect_timeout: Duration,
    idle_timeout: Duration,
    retries: Retries,
    preserve_host: bool,
    pass_method_override: bool,
}

impl ProxyService {
    /// Starts a service.
    pub fn builder() -> ProxyBuilder {
        ProxyBuilder::new()
    }
}

impl ProxyBuilder {
    fn new() -> Self {
        Self {
            upstream: None,
            target: None,
            timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(60),
            retries: Retries::new(0),
            preserve_host: true,
            pass_method_override: false,
        }
    }

    /// Sends to this one target, `host:port`, over cleartext HTTP/1.1.
    pub fn target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// Sends to the targets of this upstream.
    pub fn upstream(mut self, upstream: Upstream) -> Self {
        self.upstream = Some(upstream);
        self
    }

    /// How long the head of a response may take. 30 s unless set.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long opening a connection to [`target`](Self::target) may take; an [`Upstream`] has its own. 5 s unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a body or an upgraded connection may be silent. 60 s unless set.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// When a request that has left is sent again. Never unless set.
    pub fn retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// Whether the upstream sees the client's `Host` or the target's own. It sees the client's unless set.
    pub fn preserve_host(mut self, preserve: bool) -> Self {
        self.preserve_host = preserve;
        self
    }

    /// Whether the upstream sees fields that ask it to act by another method: `X-HTTP-Method-Override`, `X-HTTP-Method`,
    /// `X-Method-Override`. They are removed unless set, because a route or a policy that looks at the method does not
    /// look at them.
    pub fn pass_method_override(mut self, pass: bool) -> Self {
        self.pass_method_override = pass;
        self
    }

    /// The service.
    ///
    /// # Errors
    ///
    /// When there is neither an upstream nor a target, when there are both, or when the target is not `host:port`.
    pub fn build(self) -> Result<ProxyService, ProxyError> {
        let upstream = match (self.upstream, self.target) {
            (Some(upstream), None) => upstream,
            (None, Some(target)) => Upstream::builder(target.as_str())
                .target(target)
                .connect_timeout(self.connect_timeout)
                .build()?,
            (None, None) => return Err(ProxyError::new("a proxy needs an upstream or a target")),
            (Some(_), Some(_)) => return Err(ProxyError::new("a proxy has an upstream or a target, not both")),
        };
        Ok(ProxyService::new(Settings {
            upstream,
            timeout: self.timeout,
            idle_timeout: self.idle_timeout,
            retries: self.retries,
            preserve_host: self.preserve_host,
            pass_method_override: self.pass_method_override,
        }))
    }
}
