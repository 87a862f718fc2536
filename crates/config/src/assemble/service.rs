use std::{
    any::Any,
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use arc_swap::ArcSwap;
use bytes::Bytes;
use gatewright_core::{
    Body, BoxError, ClientInfoLayer, ClientInfoService, PolicyFuture, PolicyLayer, PolicyService, Rejection,
    ReplyFormat,
};
use gatewright_router::RouterService;
use gatewright_trace::{Observers, TraceBody, TraceFuture, TraceService, audit::AuditLog};
use http::{Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::ServiceBuilder;
use tower_http::{
    body::UnsyncBoxBody,
    catch_panic::{self, CatchPanic, ResponseForPanic},
};
use tower_service::Service;

use super::{entrance::Entrance, https::RedirectHttps, telemetry};
use crate::settings::Settings;

/// A whole gateway as one service: client info, trace, the redirects to HTTPS, router, and behind that each route's own stack.
///
/// It is always ready and never fails. Clones share all state. A request is served to its end by the configuration it
/// began with; after a [reload](super::Gateway::reload) the next one, also on the same connection, is served by the new
/// one.
#[derive(Clone)]
pub struct GatewayService(Arc<ArcSwap<Current>>);

/// The router, and before it what some listeners answer to all that comes.
type Routing = PolicyService<Option<Entrance>, RouterService<Body>>;

/// What a request that begins now is served by.
pub(super) struct Current {
    stack: ClientInfoService<TraceService<Caught>>,
    observers: Observers,
}

impl Current {
    pub(super) fn new(
        router: RouterService<Body>,
        https: Option<RedirectHttps>,
        settings: &Settings,
        observers: Observers,
        audit: Option<&AuditLog>,
    ) -> Self {
        let trusted = settings.trusted_proxies.iter().copied();
        let client_info = trusted.fold(ClientInfoLayer::new(), ClientInfoLayer::trust);
        let trace = telemetry::layer(settings).observers(observers.clone());
        let entrance = Entrance::of(audit.map(AuditLog::policy), https);
        let stack = ServiceBuilder::new()
            // Outermost, since all that follows asks who the client is.
            .layer(client_info)
            // Around the router, so that what no route takes has an id and a line too.
            .layer(trace)
            // Within the trace, so that a panic has a line; around all else, so that it costs one request.
            .layer_fn(Caught)
            .layer(PolicyLayer::new(entrance))
            .service(router);
        Self { stack, observers }
    }

    /// Those who watch the requests.
    pub(super) fn observers(&self) -> &Observers {
        &self.observers
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
    type Response = Response<GatewayBody>;
    type Error = Infallible;
    type Future = GatewayFuture;

    /// Always ready, as the router is.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone is a few reference counts; the request keeps what it needs of it.
        let mut stack = self.0.load().stack.clone();
        GatewayFuture { inner: stack.call(request) }
    }
}

/// Turns a panic into a response in the caller's protocol. The server behind does so too, but outside the trace, where the
/// response has no id and its line no status.
#[derive(Clone)]
struct Caught(Routing);

impl Service<Request<Body>> for Caught {
    type Response = Response<UnsyncBoxBody<Bytes, BoxError>>;
    type Error = Infallible;
    type Future = CaughtFuture;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (head, body) = request.into_parts();
        let answer = AnswerPanic(ReplyFormat::of(&head));
        CatchPanic::custom(self.0.clone(), answer).call(Request::from_parts(head, body))
    }
}

type CaughtFuture =
    catch_panic::ResponseFuture<PolicyFuture<Option<Entrance>, RouterService<Body>, Body>, AnswerPanic>;

/// Answers a panic in this format.
#[derive(Clone, Copy)]
struct AnswerPanic(ReplyFormat);

impl ResponseForPanic for AnswerPanic {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, panic: Box<dyn Any + Send>) -> Response<Body> {
        let text = panic.downcast_ref::<&'static str>().copied();
        let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        tracing::error!(panic = text.unwrap_or("no text"), "a layer or a route panicked");
        let rejection = Rejection::new(StatusCode::INTERNAL_SERVER_ERROR, "error", "internal");
        rejection.into_response(self.0, None).map(Body::once)
    }
}

pin_project! {
    /// The future of [`GatewayService`].
    pub struct GatewayFuture {
        #[pin]
        inner: TraceFuture<CaughtFuture>,
    }
}

impl Future for GatewayFuture {
    type Output = Result<Response<GatewayBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().inner.poll(cx))?;
        Poll::Ready(Ok(response.map(|inner| GatewayBody { inner })))
    }
}

impl fmt::Debug for GatewayFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayFuture").finish_non_exhaustive()
    }
}

pin_project! {
    /// The body of a [`GatewayService`]'s response.
    pub struct GatewayBody {
        #[pin]
        inner: TraceBody<UnsyncBoxBody<Bytes, BoxError>>,
    }
}

impl http_body::Body for GatewayBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.project().inner.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl fmt::Debug for GatewayBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayBody").finish_non_exhaustive()
    }
}

impl fmt::Debug for GatewayService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayService")
    }
}
