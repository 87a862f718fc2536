//! The layer without the gateway's own listener, and without any other of its layers.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use axum::{Router, error_handling::HandleError, routing::get};
use gatewright::{
    AuthLayer, Error, Principal, ProxyService, RateLimitLayer, RewriteLayer, RouterService, TraceLayer,
    auth::{ApiKeys, Jwt, NewApiKey},
    rate_limit::{Key, Quota},
};
use harness::{Origin, RawClient};
use http::{HeaderName, Request, Response, StatusCode};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpListener;
use tower::{ServiceBuilder, service_fn};

use crate::{gateway::request, identity_provider::World};

/// No list of fields that are known to tell who calls has this one.
const PARTNER: HeaderName = HeaderName::from_static("x-acme-partner");

/// And each such list has this one.
const USER: HeaderName = HeaderName::from_static("x-user-id");

fn key() -> NewApiKey {
    NewApiKey::builder("acme-2027").owner("acme").generate().unwrap()
}

fn auth(key: &NewApiKey, header: HeaderName) -> AuthLayer<ApiKeys> {
    AuthLayer::new(ApiKeys::from_yaml(key.entry()).owner_header(header).build().unwrap())
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

pub(crate) async fn serve(app: Router) -> SocketAddr {
    let (listener, address) = listen().await;
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// The program of the design, whose type follows from the server that it stands under.
macro_rules! program {
    ($world:expr, $origin:expr) => {{
        let keys = $world.keys();
        let orders = ServiceBuilder::new()
            .layer(AuthLayer::new(Jwt::new(keys).issuer($world.provider.issuer()).audience("api")))
            .layer(RateLimitLayer::new(Quota::per_hour(2).burst(2)).key(Key::principal()))
            .layer(RewriteLayer::new().replace_prefix("/v1/orders", "/internal/orders"))
            .service(
                ProxyService::builder()
                    .target($origin.address().to_string())
                    .timeout(Duration::from_secs(5))
                    .build()
                    .unwrap(),
            );
        ServiceBuilder::new()
            .layer(TraceLayer::new())
            .service(RouterService::builder().path_prefix("/v1/orders", orders).build().unwrap())
    }};
}

/// What the program does, whoever serves it.
async fn check_program(address: SocketAddr, world: &World, origin: &Origin) {
    let bearer = format!("Bearer {}", world.made.token("RS256"));
    let known = request("/v1/orders/1001?full=1", &[("Authorization", &bearer)]);
    for status in [200, 200, 429] {
        let response = RawClient::once(address, &known).await;
        assert_eq!(response.status(), status, "{response:?}");
        assert!(response.header("x-request-id").is_some(), "{response:?}");
    }
    let (_, _, forged) = world.made.forged()[0];
    let forged = request("/v1/orders/1001", &[("Authorization", &format!("Bearer {forged}"))]);
    for (asked, status) in [(request("/v1/orders/1001", &[]), 401), (forged, 401), (request("/v1", &[]), 404)] {
        assert!(RawClient::once(address, &asked).await.is_problem(status), "{asked}");
    }
    let seen = origin.take_requests();
    assert_eq!(seen.len(), 2, "refusals reach no service");
    for request in seen {
        assert_eq!((request.target(), request.header("authorization")), ("/internal/orders/1001?full=1", None));
    }
}

#[tokio::test]
async fn the_program_of_the_design_runs_under_axum() {
    let (world, origin) = (World::new().await, Origin::ok().await);
    let gateway = program!(world, origin);
    let app = Router::new().route("/healthz", get(|| async { "ok" })).fallback_service(gateway);
    let address = serve(app).await;
    check_program(address, &world, &origin).await;
    assert_eq!(RawClient::once(address, request("/healthz", &[])).await.text(), "ok");
}

#[tokio::test]
async fn the_program_of_the_design_runs_under_hyper() {
    let (world, origin) = (World::new().await, Origin::ok().await);
    let gateway = program!(world, origin);
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let gateway = TowerToHyperService::new(gateway.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), gateway));
        }
    });
    check_program(address, &world, &origin).await;
}

#[tokio::test]
async fn under_axum_a_handler_has_the_principal() {
    let key = key();
    let hello = async |principal: Principal| format!("hello {}", principal.id());
    let asked = async |request: axum::extract::Request| {
        Principal::of(request.extensions())
            .map_or_else(String::new, |principal| format!("hello {}", principal.id()))
    };
    let routes = || Router::new().route("/", get(hello)).route("/asked", get(asked));
    let auth = || auth(&key, PARTNER);
    // Bare, with a record made outside of it, with one made inside, and behind the router.
    let nested = ServiceBuilder::new().layer(auth()).service(routes());
    let nested = RouterService::builder().path_prefix("/", nested).build().unwrap();
    for app in [
        routes().layer(auth()),
        routes().layer(auth()).layer(TraceLayer::new()),
        routes().layer(TraceLayer::new()).layer(auth()),
        Router::new().fallback_service(ServiceBuilder::new().layer(TraceLayer::new()).service(nested)),
    ] {
        let address = serve(app).await;
        for path in ["/", "/asked"] {
            let response = RawClient::once(address, request(path, &[("x-api-key", key.secret())])).await;
            assert_eq!((response.status(), response.text().as_str()), (200, "hello acme"), "{path}");
        }
    }
    let response = RawClient::once(serve(routes().layer(auth())).await, request("/", &[])).await;
    assert!(response.is_problem(401), "{response:?}");
    assert_eq!(response.header("www-authenticate"), Some(r#"ApiKey in="header", name="x-api-key""#));
}

#[tokio::test]
async fn a_handler_for_known_callers_refuses_those_that_nobody_knows() {
    let known = async |principal: Principal| principal.id().to_owned();
    let either = async |principal: Option<Principal>| {
        principal.map_or("nobody".to_owned(), |principal| principal.id().to_owned())
    };
    let routes = || Router::new().route("/known", get(known)).route("/either", get(either));
    // No layer, one that lets everybody in, and one that makes a record of it.
    for app in [
        routes(),
        routes().layer(AuthLayer::none()),
        routes().layer(AuthLayer::none()).layer(TraceLayer::new()),
        // What an outer layer has found out is no more once an inner one lets everybody in.
        routes().layer(AuthLayer::none()).layer(axum::Extension(Principal::builder("forged", "test").build())),
    ] {
        let address = serve(app).await;
        assert!(RawClient::once(address, request("/known", &[])).await.is_problem(403));
        assert_eq!(RawClient::once(address, request("/either", &[])).await.text(), "nobody");
    }
}

#[tokio::test]
async fn under_hyper_a_service_has_the_principal() {
    let key = key();
    let hello = service_fn(async |request: Request<Incoming>| {
        let principal = Principal::of(request.extensions()).unwrap();
        Ok::<_, Infallible>(Response::new(format!("hello {}", principal.id())))
    });
    let service = ServiceBuilder::new().layer(auth(&key, PARTNER)).service(hello);
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service));
        }
    });
    let response = RawClient::once(address, request("/", &[("x-api-key", key.secret())])).await;
    assert_eq!((response.status(), response.text().as_str()), (200, "hello acme"));
    assert!(RawClient::once(address, request("/", &[])).await.is_problem(401));
}

/// A client that forges the field, and nominates it to be taken away with its connection's own.
fn forging(name: &HeaderName, key: &NewApiKey) -> String {
    let alias = name.as_str().replace('-', "_");
    let options = format!("keep-alive, {name}");
    let fields =
        [("x-api-key", key.secret()), ("Connection", &options), (name.as_str(), "forged"), (&alias, "forged")];
    request("/", &fields)
}

#[tokio::test]
async fn who_calls_reaches_the_service_through_a_proxy_whatever_layers_there_are() {
    let key = key();
    let origin = Origin::ok().await;
    let proxy = || ProxyService::builder().target(origin.address().to_string()).build().unwrap();
    for name in [PARTNER, USER] {
        let bare = ServiceBuilder::new().layer(auth(&key, name.clone())).service(proxy());
        let routed = ServiceBuilder::new().layer(auth(&key, name.clone())).service(proxy());
        let routed = RouterService::builder().path_prefix("/", routed).build().unwrap();
        let traced = ServiceBuilder::new().layer(TraceLayer::new()).service(routed);
        let bare = HandleError::new(bare, async |error: Error| (StatusCode::BAD_GATEWAY, error.to_string()));
        for app in [Router::new().fallback_service(traced), Router::new().fallback_service(bare)] {
            let address = serve(app).await;
            let response = RawClient::once(address, forging(&name, &key)).await;
            assert_eq!(response.status(), 200);
            let request = origin.take_requests().pop().unwrap();
            let told: Vec<_> = request
                .head
                .fields
                .iter()
                .filter(|(field, _)| field.replace('_', "-").eq_ignore_ascii_case(name.as_str()))
                .collect();
            assert_eq!(told, [(name.as_str(), "acme")], "{:?}", request.head);
            assert_eq!((request.header("connection"), request.header("x-api-key")), (None, None));
        }
    }
}

#[tokio::test]
async fn a_field_that_another_route_tells_who_calls_in_is_removed_where_it_is_reserved() {
    let key = key();
    let seen = async |headers: http::HeaderMap| format!("{} fields", headers.len());
    let app = Router::new()
        .route("/open", get(seen).layer(AuthLayer::none().reserve_headers([PARTNER])))
        .route("/keys", get(seen).layer(auth(&key, USER).reserve_headers([PARTNER])));
    let address = serve(app).await;
    let forged: &[(&str, &str)] =
        &[("X-Acme-Partner", "forged"), ("x_acme_partner", "forged"), ("x.acme-partner", "forged")];
    let response = RawClient::once(address, request("/open", forged)).await;
    assert_eq!(response.text(), "1 fields", "the host alone");
    let with_key: Vec<_> = forged.iter().copied().chain([("x-api-key", key.secret())]).collect();
    let response = RawClient::once(address, request("/keys", &with_key)).await;
    assert_eq!(response.text(), "2 fields", "the host, and who calls");
}
