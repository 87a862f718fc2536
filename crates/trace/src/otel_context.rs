//! What a program records inside a handler, under the gateway's span.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use gatewright_core::RequestRecord;
use http::Request;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// Makes the gateway's span the current one of OpenTelemetry while the service inside works on a request.
///
/// It stands inside of [`TraceLayer`](crate::TraceLayer). What the service records by the `opentelemetry` crate, or by `tracing` with
/// `tracing-opentelemetry`, hangs under the gateway's span then, in the same trace and with the same decision about sampling. The
/// program's own subscriber and exporter stay as they are. A request without a record passes as it is, and so does what the service
/// spawns: a task of its own has to take the context along.
///
/// ```
/// use gatewright_trace::{OtelContextLayer, TraceLayer};
/// use tower::ServiceBuilder;
///
/// # let handler = tower::service_fn(|_: http::Request<()>| async { Ok::<_, ()>(http::Response::new(())) });
/// let service = ServiceBuilder::new().layer(TraceLayer::new()).layer(OtelContextLayer::new()).service(handler);
/// # let _ = service;
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct OtelContextLayer(());

impl OtelContextLayer {
    /// The layer; there is nothing to set.
    pub fn new() -> Self {
        Self(())
    }
}

impl<S> Layer<S> for OtelContextLayer {
    type Service = OtelContextService<S>;

    fn layer(&self, inner: S) -> OtelContextService<S> {
        OtelContextService { inner }
    }
}

/// The service that [`OtelContextLayer`] makes.
#[derive(Debug, Clone)]
pub struct OtelContextService<S> {
    inner: S,
}

impl<S> OtelContextService<S> {
    /// The service inside.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside, to be changed.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service inside, alone.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B> Service<Request<B>> for OtelContextService<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = OtelContextFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let span = RequestRecord::of(request.extensions()).and_then(|record| record.with(|known| known.span));
        let context = span.map(|span| {
            // It is remote to the program's own tracer, which did not start it.
            let parent = SpanContext::new(
                TraceId::from(span.trace_id()),
                SpanId::from(span.span_id()),
                TraceFlags::new(span.flags()),
                true,
                TraceState::default(),
            );
            opentelemetry::Context::current().with_remote_span_context(parent)
        });
        let _current = context.clone().map(opentelemetry::Context::attach);
        OtelContextFuture { inner: self.inner.call(request), context }
    }
}

pin_project! {
    /// The future of [`OtelContextService`].
    pub struct OtelContextFuture<F> {
        #[pin]
        inner: F,
        context: Option<opentelemetry::Context>,
    }
}

impl<F: Future> Future for OtelContextFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _current = this.context.clone().map(opentelemetry::Context::attach);
        this.inner.poll(cx)
    }
}

impl<F> fmt::Debug for OtelContextFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OtelContextFuture")
    }
}
