//! A service behind the gateway, and its targets.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

#[cfg(feature = "tls")]
use gatewright_client::ClientTls;
use gatewright_client::{Pool, PoolBuilder, Protocol, Resolver, Target};
use gatewright_core::{Error, Label, LabelKind};
use http::{HeaderValue, uri::Scheme};

use crate::{ProxyError, body::RequestBody, faults::Faults, retries::Budget};

/// A service behind the gateway: one or several targets that answer alike, taken in turn. Clones share their
/// connections.
#[derive(Clone)]
pub struct Upstream {
    inner: Arc<Inner>,
}

struct Inner {
    name: Label,
    endpoints: Box<[Endpoint]>,
    /// The endpoints in the order of their turns, a heavier one more often.
    turns: Box<[usize]>,
    next: AtomicUsize,
    budget: Budget,
    /// Requests that were not sent to any endpoint.
    faults: Faults,
    secure: bool,
}

/// One target, with its connections.
pub(crate) struct Endpoint {
    pub(crate) pool: Pool<RequestBody>,
    pub(crate) label: Label,
    pub(crate) host: HeaderValue,
    faults: Faults,
}

impl Endpoint {
    pub(crate) fn note_failure(&self, error: &Error) {
        self.faults.note(&self.label, error);
    }

    pub(crate) fn note_success(&self) {
        self.faults.note_success(&self.label);
    }
}

impl Upstream {
    /// Starts an upstream of this name, which is what logs and metrics call it.
    pub fn builder(name: impl Into<Arc<str>>) -> UpstreamBuilder {
        UpstreamBuilder {
            name: name.into(),
            targets: Vec::new(),
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

    /// Its name.
    pub fn name(&self) -> &Label {
        &self.inner.name
    }

    /// Its targets.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.inner.endpoints.iter().map(|endpoint| endpoint.pool.target())
    }

    pub(crate) fn endpoints(&self) -> &[Endpoint] {
        &self.inner.endpoints
    }

    /// Notes that a request has come back to this gateway.
    pub(crate) fn note_loop(&self, error: &Error) {
        self.inner.faults.note(&self.inner.name, error);
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.inner.budget
    }

    pub(crate) fn scheme(&self) -> Scheme {
        if self.inner.secure { Scheme::HTTPS } else { Scheme::HTTP }
    }

    /// The endpoint whose turn it is; after a failure, another one where there is one.
    pub(crate) fn next(&self, failed: Option<usize>) -> usize {
        let turns = &self.inner.turns;
        if turns.len() == 1 {
            return turns[0];
        }
        let turn = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = |offset: usize| turns[turn.wrapping_add(offset) % turns.len()];
        (0..turns.len()).map(in_turn).find(|endpoint| Some(*endpoint) != failed).unwrap_or(turns[0])
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("name", &self.inner.name)
            .field("targets", &self.targets().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

/// Builds an [`Upstream`].
#[derive(Debug, Clone)]
#[must_use]
pub struct UpstreamBuilder {
    name: Arc<str>,
    targets: Vec<(String, u32)>,
    protocol: Protocol,
    #[cfg(feature = "tls")]
    tls: Option<ClientTls>,
    resolver: Resolver,
    connect_timeout: Duration,
    keep_alive: Duration,
    max_connections: Option<usize>,
    max_response_head: Option<usize>,
    max_response_headers: Option<u16>,
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

    /// The protocol to speak.
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// Speaks TLS.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: ClientTls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Shares a resolver with other upstreams.
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    /// How long resolving, connecting and the TLS handshake may take together. 5 s unless set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an idle connection is kept; it must be less than the upstream's own keep-alive. 4 s unless set.
    pub fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// How many connections each target may have; without a bound unless set.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = Some(connections);
        self
    }

    /// Size of a response's head in bytes; one that is larger is answered with 502. 64 KiB unless set.
    pub fn max_response_head(mut self, bytes: usize) -> Self {
        self.max_response_head = Some(bytes);
        self
    }

    /// Number of field lines of a response's head; one that has more is answered with 502. 256 unless set.
    pub fn max_response_headers(mut self, lines: u16) -> Self {
        self.max_response_headers = Some(lines);
        self
    }

    /// The upstream.
    ///
    /// # Errors
    ///
    /// When there is no target, one is no `host:port`, or a weight is not from 1 to 100.
    pub fn build(self) -> Result<Upstream, ProxyError> {
        if self.targets.is_empty() {
            return Err(ProxyError::new(format!(
                "the upstream `{}` needs a target, such as orders:8080",
                self.name
            )));
        }
        let mut weights = Vec::with_capacity(self.targets.len());
        let mut endpoints = Vec::with_capacity(self.targets.len());
        for (text, weight) in &self.targets {
            let target: Target = text.parse()?;
            if !(1..=100).contains(weight) {
                return Err(ProxyError::new(format!(
                    "the weight of `{text}` is {weight}; it is from 1 to 100"
                )));
            }
            weights.push(*weight);
            endpoints.push(self.endpoint(target)?);
        }
        Ok(Upstream {
            inner: Arc::new(Inner {
                name: Label::new(LabelKind::Upstream, &self.name),
                endpoints: endpoints.into(),
                turns: turns(&weights),
                next: AtomicUsize::new(0),
                budget: Budget::new(),
                faults: Faults::default(),
                #[cfg(feature = "tls")]
                secure: self.tls.is_some(),
                #[cfg(not(feature = "tls"))]
                secure: false,
            }),
        })
    }

    fn endpoint(&self, target: Target) -> Result<Endpoint, ProxyError> {
        let label = Label::new(LabelKind::Endpoint, target.as_str());
        let host =
            HeaderValue::from_str(&label).map_err(|error| ProxyError::new(format!("`{label}`: {error}")))?;
        let mut pool = PoolBuilder::new(target)
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
        Ok(Endpoint { pool: pool.build(), label, host, faults: Faults::default() })
    }
}

/// One round of turns, in which the turns of a heavy endpoint are spread out (smooth weighted round robin).
fn turns(weights: &[u32]) -> Box<[usize]> {
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let weights: Vec<i64> = weights.iter().map(|weight| i64::from(weight / divisor)).collect();
    let total: i64 = weights.iter().sum();
    let mut credit = vec![0; weights.len()];
    let mut round = Vec::new();
    for _ in 0..total {
        let mut richest = 0;
        for endpoint in 0..weights.len() {
            credit[endpoint] += weights[endpoint];
            if credit[endpoint] > credit[richest] {
                richest = endpoint;
            }
        }
        credit[richest] -= total;
        round.push(richest);
    }
    round.into()
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heavier_targets_take_more_turns_spread_out() {
        assert_eq!(&*turns(&[1]), [0]);
        assert_eq!(&*turns(&[7, 7]), [0, 1]);
        assert_eq!(&*turns(&[4, 2]), [0, 1, 0]);
        assert_eq!(&*turns(&[5, 1, 1]), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn a_failed_target_is_passed_over() {
        let upstream = Upstream::builder("u").target("a:1").target("b:1").build().expect("builds");
        for _ in 0..4 {
            assert_eq!(upstream.next(Some(0)), 1);
        }
        let alone = Upstream::builder("u").target("a:1").build().expect("builds");
        assert_eq!(alone.next(Some(0)), 0);
    }

    #[test]
    fn a_bad_upstream_says_what_to_mend() {
        let message = |builder: UpstreamBuilder| builder.build().expect_err("is refused").to_string();
        assert!(message(Upstream::builder("orders")).contains("needs a target"));
        assert!(message(Upstream::builder("u").target("http://a:1")).contains("leave the scheme away"));
        assert!(message(Upstream::builder("u").weighted_target("a:1", 0)).contains("from 1 to 100"));
    }

    #[test]
    fn an_upstream_tells_its_name_and_its_targets() {
        let upstream =
            Upstream::builder("orders").target("a:1").weighted_target("b:2", 3).build().expect("builds");
        assert_eq!(&**upstream.name(), "orders");
        let targets: Vec<String> = upstream.targets().map(ToString::to_string).collect();
        assert_eq!(targets, ["a:1", "b:2"]);
        let proxy = crate::ProxyService::builder().upstream(upstream).build().expect("builds");
        assert_eq!(proxy.upstream().targets().count(), 2);
        let said = format!("{proxy:?}");
        assert!(said.contains("orders") && said.contains("b:2"), "{said}");
    }
}
