use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use gatewright_core::{
    Body, ClientInfoLayer, ClientInfoService, IpNetwork, PolicyFuture, PolicyLayer, PolicyService, ResponseBody,
};
use gatewright_router::RouterService;
use gatewright_trace::{AccessLog, TraceBody, TraceFuture, TraceLayer, TraceService};
use http::{Request, Response};
use tower::ServiceBuilder;
use tower_service::Service;

use super::https::RedirectHttps;

/// A whole gateway as one service: client info, trace, the redirects to HTTPS, router, and behind that each route's own stack.
///
/// It is always ready and never fails. Clones share all state. A request is served to its end by the configuration it
/// began with; after a [reload](super::Gateway::reload) the next one, also on the same connection, is served by the new
/// one.
#[derive(Clone)]
pub struct GatewayService(Arc<ArcSwap<Current>>);

/// The router, and before it what some listeners answer to all that comes.
type Routing = PolicyService<Option<RedirectHttps>, RouterService<Body>>;

/// What a request that begins now is served by.
pub(super) struct Current {
    stack: ClientInfoService<TraceService<Routing>>,
    access_log: Option<AccessLog>,
}

impl Current {
    pub(super) fn new(
        router: RouterService<Body>,
        https: Option<RedirectHttps>,
        trusted: &[IpNetwork],
        access_log: Option<AccessLog>,
    ) -> Self {
        let client_info = trusted.iter().copied().fold(ClientInfoLayer::new(), ClientInfoLayer::trust);
        let trace = match &access_log {
            Some(log) => TraceLayer::new().access_log(log.clone()),
            None => TraceLayer::new(),
        };
        let stack = ServiceBuilder::new()
            // Outermost, since all that follows asks who the client is.
            .layer(client_info)
            // Around the router, so that what no route takes has an id and a line too.
            .layer(trace)
            .layer(PolicyLayer::new(https))
            .service(router);
        Self { stack, access_log }
    }

    pub(super) fn access_log(&self) -> Option<&AccessLog> {
        self.access_log.as_ref()
    }
}

impl GatewayService {
    pub(super) fn new(current: Current) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(current)))
    }

    /// Serves requests to come by this.
    pub(super) fn replace(&self, current: Current) {
        self.0.store(Arc::new(current));
    }

    pub(super) fn current(&self) -> arc_swap::Guard<Arc<Current>> {
        self.0.load()
    }
}

impl Service<Request<Body>> for GatewayService {
    type Response = Response<TraceBody<ResponseBody<Body>>>;
    type Error = Infallible;
    type Future = TraceFuture<PolicyFuture<Option<RedirectHttps>, RouterService<Body>, Body>>;

    /// Always ready, as the router is.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone is a few reference counts; the request keeps what it needs of it.
        let mut stack = self.0.load().stack.clone();
        stack.call(request)
    }
}

impl fmt::Debug for GatewayService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayService")
    }
}
