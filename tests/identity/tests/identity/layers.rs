//! Layers of tower and tower-http in each place of a stack: outside of the trace, between the trace and the authentication,
//! just before the proxy, and around all of a route.

use std::{
    convert::{Infallible, identity},
    future::{Ready, ready},
    time::Duration,
};

use axum::Router;
use gatewright::{
    AuthLayer, Body, BoxError, ConcurrencyLimitLayer, IpFilterLayer, Key, PolicyLayer, ProxyService, Quota,
    RateLimitLayer, RewriteLayer, RouterService, TraceLayer,
    auth::{ApiKeys, NewApiKey},
    core::ResponseBody,
};
use harness::Origin;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use tower::{
    Service, ServiceBuilder, ServiceExt,
    buffer::BufferLayer,
    filter::{AsyncFilterLayer, FilterLayer},
    limit::{ConcurrencyLimitLayer as TowerConcurrencyLimitLayer, GlobalConcurrencyLimitLayer},
    load_shed::LoadShedLayer,
    retry::RetryLayer,
    spawn_ready::SpawnReadyLayer,
    timeout::TimeoutLayer as TowerTimeoutLayer,
    util::{
        AndThenLayer, MapErrLayer, MapFutureLayer, MapRequestLayer, MapResponseLayer, MapResultLayer,
        ThenLayer, option_layer,
    },
};
use tower_http::{
    add_extension::AddExtensionLayer,
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::CorsLayer,
    csrf::CsrfLayer,
    decompression::{DecompressionLayer, RequestDecompressionLayer},
    follow_redirect::FollowRedirectLayer,
    limit::RequestBodyLimitLayer,
    map_request_body::MapRequestBodyLayer,
    map_response_body::MapResponseBodyLayer,
    metrics::InFlightRequestsLayer,
    normalize_path::NormalizePathLayer,
    propagate_header::PropagateHeaderLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    sensitive_headers::SetSensitiveHeadersLayer,
    set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer},
    set_status::SetStatusLayer,
    timeout::{RequestBodyTimeoutLayer, ResponseBodyTimeoutLayer, TimeoutLayer},
    trace::TraceLayer as SpanLayer,
    validate_request::ValidateRequestHeaderLayer,
};

const LONG: Duration = Duration::from_secs(20);

/// What stands in each stack beside the layer that is tried.
struct Parts {
    origin: Origin,
    key: NewApiKey,
}

impl Parts {
    async fn new() -> Self {
        let key = NewApiKey::builder("acme-2027").owner("acme").generate().unwrap();
        Self { origin: Origin::ok().await, key }
    }

    fn auth(&self) -> AuthLayer<ApiKeys> {
        AuthLayer::new(ApiKeys::from_yaml(self.key.entry()).build().unwrap())
    }

    fn limit(&self) -> RateLimitLayer {
        RateLimitLayer::new(Quota::per_second(1000)).key(Key::principal())
    }

    fn proxy(&self) -> ProxyService {
        ProxyService::builder().target(self.origin.address().to_string()).build().unwrap()
    }

    fn request(&self, key: bool) -> Request<Body> {
        let request = Request::get("http://api.example.com/v1/orders");
        let request = if key { request.header("x-api-key", self.key.secret()) } else { request };
        request.body(Body::empty()).unwrap()
    }

    /// A caller with a key is answered by the origin, one without by the authentication, whatever stands around.
    async fn check<S, B>(&self, place: &str, stack: S)
    where
        S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
        B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        for (key, status, text) in [(true, 200, "ok"), (false, 401, "Valid credentials are required.")] {
            let response = stack.clone().oneshot(self.request(key)).await;
            let response = response.unwrap_or_else(|error| panic!("{place}: {}", error.into()));
            assert_eq!(response.status(), status, "{place}");
            let body = axum::body::to_bytes(axum::body::Body::new(Body::new(response.into_body())), 4096)
                .await
                .unwrap();
            assert!(String::from_utf8_lossy(&body).contains(text), "{place}: {body:?}");
        }
    }
}

/// Tries a layer in each place.
macro_rules! everywhere {
    ($($name:ident: $layer:expr;)*) => { $(
        #[tokio::test]
        async fn $name() {
            let parts = Parts::new().await;
            let routes = RouterService::builder();
            let inside = ServiceBuilder::new().layer(parts.auth()).layer(parts.limit()).service(parts.proxy());
            let outermost = ServiceBuilder::new()
                .layer($layer)
                .layer(TraceLayer::new())
                .service(routes.path_prefix("/", inside).build().unwrap());
            parts.check("outside of the trace", outermost).await;

            let before_auth = ServiceBuilder::new()
                .layer(TraceLayer::new())
                .layer($layer)
                .layer(parts.auth())
                .layer(IpFilterLayer::new().allow_unknown())
                .service(parts.proxy());
            parts.check("between the trace and the authentication", before_auth).await;

            let before_proxy = ServiceBuilder::new()
                .layer(parts.auth())
                .layer(parts.limit())
                .layer(ConcurrencyLimitLayer::new(10).key(Key::principal()))
                .layer(RewriteLayer::new().replace_prefix("/v1", "/internal"))
                .layer($layer)
                .service(parts.proxy());
            parts.check("before the proxy", before_proxy.clone()).await;

            let around_route = ServiceBuilder::new().layer($layer).service(before_proxy);
            let routed = RouterService::builder().path_prefix("/", around_route).build().unwrap();
            let routed = ServiceBuilder::new().layer(TraceLayer::new()).service(routed);
            parts.check("around a route", routed).await;
        }
    )* };
}

/// Never tries again: no request can be cloned.
#[derive(Clone)]
struct Once;

impl<B, Res, E> tower::retry::Policy<Request<B>, Res, E> for Once {
    type Future = Ready<()>;

    fn retry(&mut self, _: &mut Request<B>, _: &mut Result<Res, E>) -> Option<Ready<()>> {
        None
    }

    fn clone_request(&mut self, _: &Request<B>) -> Option<Request<B>> {
        None
    }
}

everywhere! {
    add_extension: AddExtensionLayer::new(7);
    catch_panic: CatchPanicLayer::new();
    compression: CompressionLayer::new();
    cors: CorsLayer::permissive();
    csrf: CsrfLayer::new();
    decompression: DecompressionLayer::new();
    request_decompression: RequestDecompressionLayer::new();
    follow_redirect: FollowRedirectLayer::new();
    request_body_limit: RequestBodyLimitLayer::new(1024);
    map_request_body: MapRequestBodyLayer::new(Body::new);
    map_response_body: MapResponseBodyLayer::new(Body::new);
    in_flight_requests: InFlightRequestsLayer::new(Default::default());
    normalize_path: NormalizePathLayer::trim_trailing_slash();
    propagate_header: PropagateHeaderLayer::new(HeaderName::from_static("x-tenant"));
    set_request_id: SetRequestIdLayer::x_request_id(MakeRequestUuid);
    propagate_request_id: PropagateRequestIdLayer::x_request_id();
    sensitive_headers: SetSensitiveHeadersLayer::new([header::AUTHORIZATION]);
    set_request_header: SetRequestHeaderLayer::overriding(header::USER_AGENT, HeaderValue::from_static("gateway"));
    set_response_header: SetResponseHeaderLayer::overriding(header::SERVER, HeaderValue::from_static("gateway"));
    timeout: TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LONG);
    request_body_timeout: RequestBodyTimeoutLayer::new(LONG);
    response_body_timeout: ResponseBodyTimeoutLayer::new(LONG);
    spans: SpanLayer::new_for_http();
    accept: ValidateRequestHeaderLayer::accept("text/plain");

    tower_timeout: TowerTimeoutLayer::new(LONG);
    load_shed: LoadShedLayer::new();
    concurrency_limit: TowerConcurrencyLimitLayer::new(10);
    global_concurrency_limit: GlobalConcurrencyLimitLayer::new(10);
    buffer: BufferLayer::new(10);
    rate_limit: ServiceBuilder::new().buffer(10).rate_limit(1000, LONG).into_inner();
    spawn_ready: ServiceBuilder::new().buffer(10).layer(SpawnReadyLayer::new()).into_inner();
    retry: RetryLayer::new(Once);
    filter: FilterLayer::new(Ok::<_, Infallible>);
    async_filter: AsyncFilterLayer::new(|request| ready(Ok::<_, Infallible>(request)));
    map_request: MapRequestLayer::new(identity);
    map_response: MapResponseLayer::new(|response: Response<_>| response.map(Body::new));
    map_result: MapResultLayer::new(identity);
    map_err: MapErrLayer::new(BoxError::from);
    map_future: MapFutureLayer::new(identity);
    then: ThenLayer::new(ready::<Result<_, _>>);
    and_then: AndThenLayer::new(|response| ready(Ok::<_, BoxError>(response)));
    optional: option_layer(Some(TowerConcurrencyLimitLayer::new(10)));
    absent: option_layer(None::<CorsLayer>);
}

#[tokio::test]
async fn a_layer_that_may_be_absent() {
    let parts = Parts::new().await;
    for present in [true, false] {
        // A policy may be none.
        let auth = present.then(|| parts.auth().into_policy());
        assert_eq!(auth.is_some(), present);
        let policy = ServiceBuilder::new().layer(PolicyLayer::new(auth)).service(parts.proxy());
        // Any other layer changes the type of the body, so that both have to end as the same.
        let layer = present.then(|| {
            ServiceBuilder::new().layer(MapResponseBodyLayer::new(Body::new)).layer(parts.auth()).into_inner()
        });
        let optional = ServiceBuilder::new()
            .layer(option_layer(layer))
            .layer(MapResponseBodyLayer::new(Body::new))
            .service(parts.proxy());
        let trace = present.then(|| {
            ServiceBuilder::new()
                .layer(MapResponseBodyLayer::new(Body::new))
                .layer(TraceLayer::new())
                .into_inner()
        });
        let traced = ServiceBuilder::new()
            .option_layer(trace)
            .layer(MapResponseBodyLayer::new(Body::new))
            .service(policy.clone());
        let status = if present { StatusCode::UNAUTHORIZED } else { StatusCode::OK };
        let without = || parts.request(false);
        assert_eq!(policy.oneshot(without()).await.unwrap().status(), status);
        assert_eq!(optional.oneshot(without()).await.unwrap().status(), status);
        assert_eq!(traced.oneshot(without()).await.unwrap().status(), status);
    }
}

/// A layer that answers itself answers with an empty body of the type within.
#[tokio::test]
async fn layers_that_answer_for_ours_do_so_with_an_empty_body() {
    let parts = Parts::new().await;
    let preflight = Request::options("http://api.example.com/v1/orders")
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "POST")
        .body(Body::empty())
        .unwrap();
    let guarded =
        ServiceBuilder::new().layer(CorsLayer::permissive()).layer(parts.auth()).service(parts.proxy());
    let response = guarded.oneshot(preflight).await.unwrap();
    assert_eq!(
        (response.status(), response.headers().contains_key("access-control-allow-origin")),
        (StatusCode::OK, true)
    );
    assert!(http_body::Body::is_end_stream(response.body()));

    let silent = tower::service_fn(async |_: Request<Body>| {
        std::future::pending::<Result<Response<hyper::body::Incoming>, Infallible>>().await
    });
    let limited = ServiceBuilder::new()
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(5)))
        .layer(TraceLayer::new())
        .layer(parts.limit().key(Key::everything()))
        .service(silent);
    let response = limited.oneshot(parts.request(false)).await.unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(http_body::Body::is_end_stream(response.body()));
    fn empty<B: http_body::Body + Default>() -> bool {
        let body = B::default();
        body.is_end_stream() && body.size_hint().exact() == Some(0)
    }
    assert!(empty::<ResponseBody<hyper::body::Incoming>>() && empty::<gatewright::proxy::ProxyBody>());
    assert!(empty::<gatewright::trace::TraceBody<hyper::body::Incoming>>() && empty::<Body>());
}

/// Over a socket, under axum: what its handlers and our layers answer passes through both.
#[tokio::test]
async fn under_axum_layers_of_both_stand_around_ours() {
    let parts = Parts::new().await;
    let stack = ServiceBuilder::new().layer(parts.auth()).layer(CorsLayer::permissive()).service(parts.proxy());
    let gateway = RouterService::builder().path_prefix("/v1", stack).build().unwrap();
    let app = Router::new().fallback_service(gateway).layer(
        ServiceBuilder::new()
            .layer(CompressionLayer::new())
            .layer(TraceLayer::new())
            .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LONG))
            .layer(SetStatusLayer::new(StatusCode::ACCEPTED)),
    );
    let address = crate::embedded::serve(app).await;
    let request = crate::gateway::request("/v1/orders", &[("x-api-key", parts.key.secret())]);
    let response = harness::RawClient::once(address, request).await;
    assert_eq!((response.status(), response.text().as_str()), (202, "ok"));
    assert!(response.header("x-request-id").is_some());
}
