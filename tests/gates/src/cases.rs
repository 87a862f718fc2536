//! What is counted.

use std::{
    convert::Infallible,
    future::{self, Ready},
    net::SocketAddr,
    sync::Arc,
};

use bytes::Bytes;
use gatewright::{
    Body, BoxError, ClientInfoLayer, Metrics, ProxyService, RequestRecord, RewriteLayer, RouterService,
    TraceLayer,
    core::{ClientInfoService, ConnectionInfo},
    trace::TraceService,
};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, header};
use tower::{Layer, Service, service_fn, util::ServiceFn};

use crate::{Result, addresses, bench::Bench, identity};

/// Sets itself up, has the bench count, and returns the allocations.
type Case = fn(&Bench) -> Result<u64>;

pub(crate) const CASES: &[(&str, Case)] = &[
    // What the bench adds to the cases that follow, up to `stack`.
    ("nothing", |bench| bench.service(origin(), request)),
    ("router", |bench| bench.service(router(origin())?, request)),
    ("rewrite", |bench| bench.service(rewrite()?.layer(origin()), request)),
    ("trace", |bench| bench.service(trace(bench)?.layer(origin()), request)),
    // What metrics and the log cost together: this case less `trace-bare`.
    ("trace-bare", |bench| bench.service(bare_trace()?.layer(origin()), request)),
    ("trace-metrics", |bench| bench.service(metrics_trace(bench)?.layer(origin()), request)),
    ("auth-limit", |bench| bench.service(identity::layers()?.layer(origin()), identity::request)),
    ("proxy", |bench| bench.service(proxy(bench)?, request)),
    ("stack", |bench| bench.service(stack(bench)?, request)),
    ("server", |bench| bench.server(origin())),
    // All of it, from the client's bytes to the client's bytes.
    ("gateway", |bench| bench.server(stack(bench)?)),
    // One address among so many networks, without a request around it.
    ("lists-10", |bench| addresses::look_up(bench, 10)),
    ("lists-50k", |bench| addresses::look_up(bench, 50_000)),
];

pub(crate) const BODY: &[u8] = b"{\"order\":7}";

/// A request as a server hands it on: with a record, and its headers in a map of their size.
pub(crate) fn request() -> Request<Body> {
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::HOST, HeaderValue::from_static("api.example.com"));
    headers.insert(header::USER_AGENT, HeaderValue::from_static("gates/1"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br"));
    headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static("en"));
    headers.insert("x-api-version", HeaderValue::from_static("2"));
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = Uri::from_static("/v1/orders/7?expand=lines");
    *request.headers_mut() = headers;
    request.extensions_mut().insert(RequestRecord::new(Some(Arc::new(connection()))));
    request
}

fn connection() -> ConnectionInfo {
    let (client, gateway) =
        (SocketAddr::from(([192, 0, 2, 1], 4711)), SocketAddr::from(([192, 0, 2, 80], 8080)));
    ConnectionInfo::new(client, gateway)
}

type Answer = Ready<Result<Response<Body>, Infallible>>;

/// Answers at once, with room for the headers that layers add.
fn origin() -> ServiceFn<fn(Request<Body>) -> Answer> {
    service_fn(|_| {
        let mut response = Response::new(Body::once(BODY));
        *response.headers_mut() = HeaderMap::with_capacity(8);
        future::ready(Ok(response))
    })
}

/// Ten routes beside the one that is taken.
fn router<S, B>(service: S) -> Result<RouterService>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let others = (0..10).map(|number| format!("/v1/service-{number}"));
    let router = others.fold(RouterService::builder(), |router, prefix| router.path_prefix(prefix, origin()));
    Ok(router.path_prefix("/v1/orders", service).build()?)
}

fn rewrite() -> Result<RewriteLayer> {
    Ok(RewriteLayer::new()
        .replace_prefix("/v1/orders", "/internal/orders")
        .set_request_header("x-via", "gateway")?
        .remove_request_header("accept-language")?
        .remove_response_header("server")?)
}

/// Settles who the client is, gives ids, and logs.
fn trace(bench: &Bench) -> Result<(ClientInfoLayer, TraceLayer)> {
    let client_info = ClientInfoLayer::new().trust("10.0.0.0/8".parse()?);
    Ok((client_info, TraceLayer::new().access_log(bench.log()?)))
}

/// Ids and trace context, and nobody who watches.
fn bare_trace() -> Result<(ClientInfoLayer, TraceLayer)> {
    Ok((ClientInfoLayer::new().trust("10.0.0.0/8".parse()?), TraceLayer::new()))
}

/// Logs and counts. Every trace is sampled, so that exemplars are counted too.
fn metrics_trace(bench: &Bench) -> Result<(ClientInfoLayer, TraceLayer)> {
    let (client_info, trace) = trace(bench)?;
    Ok((client_info, trace.observer(Metrics::new())))
}

fn proxy(bench: &Bench) -> Result<ProxyService> {
    Ok(ProxyService::builder().target(bench.upstream()?.to_string()).build()?)
}

/// The layers in the order in which a gateway has them.
fn stack(bench: &Bench) -> Result<ClientInfoService<TraceService<RouterService>>> {
    let orders = rewrite()?.layer(proxy(bench)?);
    Ok(trace(bench)?.layer(router(orders)?))
}
