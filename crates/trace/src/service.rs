use std::{
    sync::Arc,
    task::{Context, Poll},
};

use gatewright_core::{RequestRecord, ids};
use http::{Request, Response};
use tower_service::Service;

use crate::{
    TraceBody, TraceFuture, account::Account, layer::Settings, request_id, traceparent, tunnel::Tunnel,
};

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
        let Settings { observers, request_ids, traces, sampled } = &*self.settings;
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
        let sample = || ids::share(*sampled);
        let span = traceparent::settle(request.headers_mut(), traces.covers(client), sample);
        record.with(|known| {
            known.request_id = Some(request_id.clone());
            known.span = Some(span);
        });
        let tunnel = account.is_some().then(|| Tunnel::of(request.extensions_mut())).flatten();
        TraceFuture::new(self.inner.call(request), request_id, account, tunnel)
    }
}
