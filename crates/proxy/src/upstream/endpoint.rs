//! One endpoint of an upstream, with its connections.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

#[cfg(feature = "tls")]
use gatewright_client::ClientTls;
use gatewright_client::{Pool, PoolBuilder, Protocol, Resolver, Target};
use gatewright_core::{Error, Label, LabelKind};
use http::HeaderValue;
use tokio::time::Instant;

use super::{activity::Activity, failure_log::FailureLog};
use crate::{balance::Outcome, error::ProxyError, request_body::RequestBody};

/// One target, with its connections. It is there until it has left its upstream and its last request has ended.
pub(crate) struct Endpoint {
    id: EndpointId,
    pub(crate) pool: Pool<RequestBody>,
    pub(crate) label: Label,
    pub(crate) host: HeaderValue,
    failures: FailureLog,
    pub(super) activity: Activity,
    #[cfg(test)]
    pub(crate) outcomes: std::sync::Mutex<Vec<Outcome>>,
}

/// Tells endpoints apart, over all upstreams and for as long as the process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndpointId(usize);

impl EndpointId {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl Endpoint {
    pub(crate) fn id(&self) -> EndpointId {
        self.id
    }

    /// Notes that an attempt has failed, for the log.
    pub(super) fn note_failure(&self, error: &Error) {
        self.failures.note(&self.label, error);
    }

    /// Notes that the head of a response has come.
    pub(super) fn note_answer(&self) {
        self.failures.note_success(&self.label);
    }

    /// Notes how an attempt that was begun at `since` has ended. All that learns from attempts begins here.
    pub(super) fn note_outcome(&self, outcome: Outcome, since: Instant) {
        self.activity.end(outcome);
        tracing::trace!(endpoint = %self.label, ?outcome, time = ?since.elapsed(), "an attempt has ended");
        #[cfg(test)]
        self.outcomes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(outcome);
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.label).finish()
    }
}

/// How an upstream's endpoints are connected to.
#[derive(Debug, Clone)]
pub(super) struct EndpointSettings {
    pub(super) protocol: Protocol,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<ClientTls>,
    pub(super) resolver: Resolver,
    pub(super) connect_timeout: Duration,
    pub(super) keep_alive: Duration,
    pub(super) max_connections: Option<usize>,
    pub(super) max_response_head: Option<usize>,
    pub(super) max_response_headers: Option<u16>,
}

impl EndpointSettings {
    pub(super) fn new() -> Self {
        Self {
            protocol: Protocol::Auto,
            #[cfg(feature = "tls")]
            tls: None,
            resolver: Resolver::new(),
            connect_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(4),
            max_connections: None,
            max_response_head: None,
            max_response_headers: None,
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    #[cfg(not(feature = "tls"))]
    pub(super) fn is_secure(&self) -> bool {
        false
    }

    /// A new endpoint, without a connection yet.
    pub(super) fn endpoint(&self, target: &Target) -> Result<Endpoint, ProxyError> {
        let label = Label::new(LabelKind::Endpoint, target.as_str());
        let host =
            HeaderValue::from_str(&label).map_err(|error| ProxyError::new(format!("`{label}`: {error}")))?;
        let mut pool = PoolBuilder::new(target.clone())
            .protocol(self.protocol)
            .resolver(self.resolver.clone())
            .connect_timeout(self.connect_timeout)
            .keep_alive(self.keep_alive);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            pool = pool.tls(tls.clone());
        }
        if let Some(connections) = self.max_connections {
            pool = pool.max_connections(connections);
        }
        if let Some(bytes) = self.max_response_head {
            pool = pool.max_head(bytes);
        }
        if let Some(lines) = self.max_response_headers {
            pool = pool.max_headers(lines);
        }
        Ok(Endpoint {
            id: EndpointId::new(),
            pool: pool.build(),
            label,
            host,
            failures: FailureLog::default(),
            activity: Activity::default(),
            #[cfg(test)]
            outcomes: std::sync::Mutex::default(),
        })
    }
}
