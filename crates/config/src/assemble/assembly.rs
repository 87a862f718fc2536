//! How a gateway is assembled when it is not to serve: for tests of a configuration, and to look at it.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use gatewright_core::{Body, Clock, Label, RequestRecord};
use gatewright_trace::Metrics;
use http::{Request, Response};
use tower_service::Service;

use super::{
    Gateway,
    terminal::{RouteService, erase},
};
use crate::{Config, Diagnostics};

/// Parts that take the place of the ones which a serving gateway has: of the upstreams, and of the time.
///
/// ```
/// use std::convert::Infallible;
///
/// use gatewright_config::{Assembly, Config};
/// use gatewright_core::Body;
/// use http::{Request, Response};
/// use tower::{ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), gatewright_core::BoxError> {
/// let text = "routes: [{path_prefix: /v1, upstream: 'orders:8080', rewrite: {prefix: /internal}}]";
/// let config = Config::parse("gateway.yaml", text)?;
///
/// // No request leaves the process: the answer is what an upstream would have got.
/// let probe = service_fn(async |request: Request<Body>| {
///     Ok::<_, Infallible>(Response::new(Body::from(request.uri().path().to_owned())))
/// });
/// let gateway = Assembly::new().terminal(probe).gateway(&config)?;
/// let response = gateway.service().oneshot(Request::get("/v1/orders").body(Body::empty())?).await?;
/// let body = http_body_util::BodyExt::collect(response.into_body()).await?.to_bytes();
/// assert_eq!(body, "/internal/orders");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Assembly {
    terminal: Option<RouteService>,
    clock: Clock,
    metrics: Option<Metrics>,
}

impl Assembly {
    /// Takes the place of nothing: the gateway is the one that [`Gateway::assemble`] gives.
    pub fn new() -> Self {
        Self::default()
    }

    /// Answers in place of every upstream. The record of a request names the upstream that the request would have
    /// gone to.
    #[must_use]
    pub fn terminal<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.terminal = Some(erase(service));
        self
    }

    /// Tells the time, by which credentials expire and limits fill up again.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Counts the requests into these metrics, which also tell of the gateway's listeners, upstreams and reloads. Without it,
    /// a gateway has metrics when its file asks for an `admin`.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Builds the gateway of a configuration with these parts. It keeps them over a reload.
    ///
    /// # Errors
    ///
    /// Those of [`Gateway::assemble`].
    pub fn gateway(self, config: &Config) -> Result<Gateway, Diagnostics> {
        Gateway::with(self, config)
    }

    /// The service in place of an upstream, when there is one.
    pub(super) fn in_place_of(&self, upstream: &Label) -> Option<RouteService> {
        let service = self.terminal.clone()?;
        Some(erase(Named { upstream: upstream.clone(), service }))
    }

    pub(super) fn counted_by(&self) -> Option<&Metrics> {
        self.metrics.as_ref()
    }

    pub(super) fn time(&self) -> &Clock {
        &self.clock
    }
}

impl fmt::Debug for Assembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembly")
            .field("terminal", &self.terminal.is_some())
            .field("clock", &self.clock)
            .finish()
    }
}

/// Writes the upstream into the record, as the proxy would.
#[derive(Clone)]
struct Named {
    upstream: Label,
    service: RouteService,
}

impl Service<Request<Body>> for Named {
    type Response = Response<Body>;
    type Error = gatewright_core::Error;
    type Future = <RouteService as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if let Some(record) = RequestRecord::of(request.extensions()) {
            record.with(|known| known.upstream = Some(self.upstream.clone()));
        }
        self.service.call(request)
    }
}

/// The stack of a route, to be looked at.
#[derive(Debug, Clone)]
pub struct RouteStack {
    pub(super) name: Label,
    pub(super) layers: Arc<[&'static str]>,
    pub(super) upstream: Option<Label>,
}

impl RouteStack {
    /// The name of the route, as logs have it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name, as records carry it.
    pub fn label(&self) -> &Label {
        &self.name
    }

    /// The names of its layers, outermost first.
    pub fn layers(&self) -> &[&'static str] {
        &self.layers
    }

    /// The name of its upstream; `None` for a redirect.
    pub fn upstream(&self) -> Option<&str> {
        self.upstream.as_deref()
    }
}
