use std::{
    sync::Arc,
    task::{Context, Poll},
};

use gatewright_core::{RequestRecord, SpanContext, ids};
use http::{HeaderName, Request, Response};
use tower_service::Service;

use crate::{
    TraceBody, TraceFuture,
    account::Account,
    layer::Settings,
    request_id,
    traceparent::{self, Settled},
    tunnel::Tunnel,
};

/// What callers tell everybody behind them (W3C Baggage).
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// The service that [`TraceLayer`](crate::TraceLayer) makes.
#[derive(Debug, Clone)]
pub struct TraceService<S> {
    settings: Arc<Settings>,
    inner: S,
}

impl<S> TraceService<S> {
    pub(crate) fn new(settings: Arc<Settings>, inner: S) -> Self {
        Self { settings, inner }
    }

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

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for TraceService<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    S::Error: 'static,
    ResBody: http_body::Body,
    ResBody::Error: 'static,
{
    type Response = Response<TraceBody<ResBody>>;
    type Error = S::Error;
    type Future = TraceFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let Settings { observers, request_ids, sampled, .. } = &*self.settings;
        let record = RequestRecord::of_or_insert(request.extensions_mut());
        let client = record.with(|known| known.client);
        // Observers see the request as the client wrote it, so it is taken down before the headers change.
        let account = (!observers.is_empty()).then(|| {
            if observers.watch_decisions() {
                record.watch_decisions();
            }
            if observers.watch_waits() {
                record.watch_waits();
            }
            Account::open(observers.clone(), record.clone(), &request)
        });
        let request_id = request_id::settle(request.headers_mut(), request_ids.covers(client));
        let trust = self.settings.traces_on(&record);
        let continues = trust.covers(client);
        if !self.settings.baggage.unwrap_or(trust).covers(client) {
            request.headers_mut().remove(BAGGAGE);
        }
        let sample = || ids::share(*sampled);
        let Settled { span, replaced } = traceparent::settle(request.headers_mut(), continues, sample);
        record.with(|known| {
            known.request_id = Some(request_id.clone());
            known.span = Some(span);
        });
        if span.is_sampled() && observers.watch_spans() {
            watch_spans(&record, replaced);
        }
        let tunnel = account.is_some().then(|| Tunnel::of(request.extensions_mut())).flatten();
        TraceFuture::new(self.inner.call(request), request_id, account, tunnel)
    }
}

/// Few traces are sampled, so what is done for them stands apart.
#[cold]
fn watch_spans(record: &RequestRecord, replaced: Option<SpanContext>) {
    record.watch_attempts();
    record.watch_waits();
    if let Some(replaced) = replaced {
        record.with_layers(|_, layers| layers.set_replaced_span(replaced));
    }
}
