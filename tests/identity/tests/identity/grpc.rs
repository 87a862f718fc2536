//! Refusals that a gRPC client understands: tonic's client before our layers, with tonic's server or the router behind them.

use std::{convert::Infallible, future::Future, pin::Pin, time::Duration};

use axum::Router;
use bytes::{Buf, BufMut, Bytes};
use gatewright::{
    AuthLayer, ConcurrencyLimitLayer, IpFilterLayer, Key, ProxyService, Quota, RateLimitLayer, RouterService,
    TraceLayer,
    auth::{ApiKeys, NewApiKey},
    core::ClientInfoLayer,
};
use http::{Request, Response, uri::PathAndQuery};
use tokio::net::TcpListener;
use tonic::{
    Code, Status,
    body::Body,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::MetadataValue,
    server::NamedService,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tower::{Service, ServiceBuilder, service_fn};

use crate::embedded::serve;

/// Messages as they are, without protobuf.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

/// `test.Echo` of tonic.
#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let echo =
            service_fn(async |request: tonic::Request<Bytes>| Ok(tonic::Response::new(request.into_inner())));
        Box::pin(async move { Ok(tonic::server::Grpc::new(Raw).unary(echo, request).await) })
    }
}

/// A tonic server behind this layer.
macro_rules! echo_behind {
    ($layer:expr) => {{
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::builder().layer($layer).add_service(Echo);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        connect(address).await
    }};
}

async fn connect(address: std::net::SocketAddr) -> Channel {
    Endpoint::try_from(format!("http://{address}")).unwrap().connect().await.unwrap()
}

async fn call(channel: &Channel, path: &'static str, key: Option<&str>) -> Result<Bytes, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = tonic::Request::new(Bytes::from("hello"));
    if let Some(key) = key {
        request.metadata_mut().insert("x-api-key", MetadataValue::try_from(key).unwrap());
    }
    Ok(client.unary(request, PathAndQuery::from_static(path), Raw).await?.into_inner())
}

fn keys() -> (NewApiKey, ApiKeys) {
    let key = NewApiKey::builder("acme-2027").owner("acme").generate().unwrap();
    let keys = ApiKeys::from_yaml(key.entry()).build().unwrap();
    (key, keys)
}

/// What a client sees of a field.
fn field<'a>(status: &'a Status, name: &str) -> Option<&'a str> {
    status.metadata().get(name).map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn without_credentials_a_call_is_unauthenticated() {
    let (key, keys) = keys();
    let channel =
        echo_behind!(ServiceBuilder::new().layer(TraceLayer::new()).layer(AuthLayer::new(keys)).into_inner());
    for (sent, reason) in [(None, "no key"), (Some("wrong"), "a wrong key")] {
        let status = call(&channel, "/test.Echo/Unary", sent).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{reason}: {status:?}");
        assert_eq!(status.message(), "Valid credentials are required.");
        assert_eq!(field(&status, "www-authenticate"), Some(r#"ApiKey in="header", name="x-api-key""#));
        assert_eq!(field(&status, "x-request-id").map(str::len), Some(32));
    }
    assert_eq!(call(&channel, "/test.Echo/Unary", Some(key.secret())).await.unwrap(), "hello");
}

#[tokio::test]
async fn without_a_scope_a_call_is_denied() {
    let (key, keys) = keys();
    let channel = echo_behind!(AuthLayer::new(keys).scopes(["orders:write"]));
    let status = call(&channel, "/test.Echo/Unary", Some(key.secret())).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::PermissionDenied, "The caller may not do this."));
}

#[tokio::test]
async fn an_address_that_is_not_let_in_is_denied() {
    let layer = ServiceBuilder::new()
        .layer(ClientInfoLayer::new().peer_from(|_| Some(([192, 0, 2, 7], 1234).into())))
        .layer(IpFilterLayer::new().allow("10.0.0.0/8".parse().unwrap()));
    let channel = echo_behind!(layer.into_inner());
    let status = call(&channel, "/test.Echo/Unary", None).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
}

#[tokio::test]
async fn beyond_its_limit_a_call_finds_its_resource_exhausted() {
    let limit = RateLimitLayer::new(Quota::per_hour(2).burst(2)).key(Key::everything());
    let channel = echo_behind!(limit);
    for _ in 0..2 {
        assert_eq!(call(&channel, "/test.Echo/Unary", None).await.unwrap(), "hello");
    }
    let status = call(&channel, "/test.Echo/Unary", None).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert_eq!(status.message(), "Too many requests. Slow down, and try again later.");
    assert!(field(&status, "retry-after").unwrap().parse::<u32>().unwrap() > 0);
    assert!(field(&status, "ratelimit").is_some(), "{status:?}");

    let none_at_once = ConcurrencyLimitLayer::new(1).key(Key::principal());
    let status = call(&echo_behind!(none_at_once), "/test.Echo/Unary", None).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "no principal to count by: {status:?}");
}

#[tokio::test]
async fn what_no_route_takes_and_what_no_upstream_answers_are_grpcs_codes() {
    let dead = { TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap() };
    // Nobody takes what comes in here.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = |target: std::net::SocketAddr| {
        ProxyService::builder().target(target.to_string()).timeout(Duration::from_millis(300)).build().unwrap()
    };
    let routes = RouterService::builder()
        .path_prefix("/test.Dead", proxy(dead))
        .path_prefix("/test.Silent", proxy(silent.local_addr().unwrap()))
        .route(gatewright::Route::path_prefix("/test.Get").methods([http::Method::GET]), proxy(dead))
        .build()
        .unwrap();
    let gateway = ServiceBuilder::new().layer(TraceLayer::new()).service(routes);
    let channel = connect(serve(Router::new().fallback_service(gateway)).await).await;
    for (path, code, message) in [
        ("/test.Missing/Unary", Code::Unimplemented, "No route takes this request."),
        ("/test.Get/Unary", Code::Unknown, "The method is not allowed here."),
        ("/test.Dead/%00", Code::Internal, ""),
        ("/test.Dead/Unary", Code::Unavailable, "The service is not available."),
        ("/test.Silent/Unary", Code::DeadlineExceeded, "The service did not answer in time."),
    ] {
        let status = call(&channel, path, None).await.unwrap_err();
        assert_eq!(status.code(), code, "{path}: {status:?}");
        assert!(status.message().starts_with(message), "{path}: {status:?}");
        assert_eq!(field(&status, "x-request-id").map(str::len), Some(32), "{path}: {status:?}");
    }
}
