use std::{
    convert::Infallible,
    fmt,
    task::{Context, Poll},
};

use gatewright_core::{Body, ClientInfoLayer, ClientInfoService, IpNetwork};
use gatewright_router::{RouterFuture, RouterService};
use gatewright_trace::{AccessLog, TraceBody, TraceFuture, TraceLayer, TraceService};
use http::{Request, Response};
use tower::ServiceBuilder;
use tower_service::Service;

/// A whole gateway as one service: client info, trace, router, and behind that each route's own stack.
///
/// It is always ready and never fails. A clone costs a few reference counts, and shares all state.
#[derive(Clone)]
pub struct GatewayService(ClientInfoService<TraceService<RouterService<Body>>>);

impl GatewayService {
    pub(super) fn new(router: RouterService<Body>, trusted: &[IpNetwork], log: Option<AccessLog>) -> Self {
        let client_info = trusted.iter().copied().fold(ClientInfoLayer::new(), ClientInfoLayer::trust);
        let trace = match log {
            Some(log) => TraceLayer::new().access_log(log),
            None => TraceLayer::new(),
        };
        Self(
            ServiceBuilder::new()
                // Outermost, since all that follows asks who the client is.
                .layer(client_info)
                // Around the router, so that what no route takes has an id and a line too.
                .layer(trace)
                .service(router),
        )
    }
}

impl Service<Request<Body>> for GatewayService {
    type Response = Response<TraceBody<Body>>;
    type Error = Infallible;
    type Future = TraceFuture<RouterFuture>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.0.call(request)
    }
}

impl fmt::Debug for GatewayService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayService")
    }
}
