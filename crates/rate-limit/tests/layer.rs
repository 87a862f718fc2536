//! The layer around services, as callers see it.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use gatewright_core::{Body, ConnectionInfo, Principal, Rejection, RequestRecord};
use gatewright_rate_limit::{Key, LocalStore, Quota, RateLimitLayer, RateLimitService};
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{Service, ServiceExt};
use tower_layer::Layer;

#[derive(Clone, Default)]
struct Origin(Arc<AtomicUsize>);

impl Service<Request<Body>> for Origin {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        self.0.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok(Response::new(Body::empty())))
    }
}

fn request(path: &str) -> Request<Body> {
    let peer: SocketAddr = "192.0.2.1:1000".parse().expect("an address");
    let record = RequestRecord::new(Some(Arc::new(ConnectionInfo::new(peer, peer))));
    Request::get(path).extension(record).body(Body::empty()).expect("a request")
}

fn by(principal: Principal) -> Request<Body> {
    let request = request("/");
    record(&request).with(|summary| summary.principal = Some(principal));
    request
}

fn user(id: &str) -> Request<Body> {
    by(Principal::builder(id, "jwt").build())
}

fn record(request: &Request<Body>) -> &RequestRecord {
    RequestRecord::of(request.extensions()).expect("a record")
}

async fn send(
    service: &RateLimitService<Origin>,
    request: Request<Body>,
) -> Response<gatewright_core::ResponseBody<Body>> {
    service.clone().oneshot(request).await.expect("answers")
}

async fn admitted(
    service: &RateLimitService<Origin>,
    times: usize,
    request: impl Fn() -> Request<Body>,
) -> usize {
    let mut admitted = 0;
    for _ in 0..times {
        admitted += usize::from(send(service, request()).await.status() == StatusCode::OK);
    }
    admitted
}

#[tokio::test]
async fn one_more_than_the_burst_is_refused_and_reaches_no_service() {
    let origin = Origin::default();
    let layer = RateLimitLayer::new(Quota::per_hour(3)).legacy_headers();
    let service = layer.layer(origin.clone());
    for left in ["2", "1", "0"] {
        let response = send(&service, request("/")).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["ratelimit-policy"], r#""hour";q=3;w=3600"#);
        assert!(
            response.headers()["ratelimit"]
                .to_str()
                .expect("text")
                .starts_with(&format!("\"hour\";r={left};t="))
        );
        assert_eq!(response.headers()["x-ratelimit-remaining"], left);
        assert!(!response.headers().contains_key("retry-after"));
    }
    let request = request("/");
    let record = record(&request).clone();
    let response = send(&service, request).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["ratelimit-policy"], r#""hour";q=3;w=3600"#);
    assert_eq!(response.headers()["ratelimit"], r#""hour";r=0;t=3600"#);
    assert_eq!(response.headers()["retry-after"], "1200");
    assert_eq!(response.headers()["x-ratelimit-limit"], "3");
    let rejection = record.with(|summary| summary.rejection.clone()).expect("the record says so");
    assert_eq!((rejection.policy(), rejection.reason()), ("rate-limit", "over_limit"));
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(problem["status"], 429);
    assert_eq!(origin.0.load(Ordering::Relaxed), 3);
    assert_eq!(layer.counts().refused(), 1);
}

#[tokio::test]
async fn a_wait_of_less_than_a_second_is_rounded_up_never_down() {
    let service = RateLimitLayer::new(Quota::per_second(1000).burst(1)).layer(Origin::default());
    let store = RateLimitLayer::new(Quota::per_minute(59)).cost(59).layer(Origin::default());
    assert_eq!(send(&store, request("/")).await.status(), StatusCode::OK);
    assert_eq!(send(&store, request("/")).await.headers()["retry-after"], "60");
    let mut refused = None;
    for _ in 0..1000 {
        let response = send(&service, request("/")).await;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(response);
        }
    }
    assert_eq!(refused.expect("a refusal").headers()["retry-after"], "1");
}

#[tokio::test]
async fn all_services_and_clones_share_one_state() {
    let layer = RateLimitLayer::new(Quota::per_hour(4));
    let services = [
        layer.layer(Origin::default()),
        layer.layer(Origin::default()),
        layer.clone().layer(Origin::default()),
    ];
    let mut total = 0;
    for service in &services {
        total += admitted(service, 3, || request("/")).await;
    }
    assert_eq!(total, 4);
}

#[tokio::test]
async fn a_store_that_is_handed_to_the_next_layer_keeps_its_buckets() {
    let store = LocalStore::new().max_keys(1000);
    let build = |quota| RateLimitLayer::new(quota).store(store.clone()).layer(Origin::default());
    assert_eq!(admitted(&build(Quota::per_hour(5)), 3, || request("/")).await, 3);
    assert_eq!(admitted(&build(Quota::per_hour(5)), 9, || request("/")).await, 2);
    assert_eq!(admitted(&build(Quota::per_hour(6)), 9, || request("/")).await, 6, "another limit");
}

#[tokio::test]
async fn a_principal_has_its_own_bucket_and_needs_to_be_there() {
    let service = RateLimitLayer::new(Quota::per_hour(2)).key(Key::principal()).layer(Origin::default());
    assert_eq!(admitted(&service, 5, || user("a")).await, 2);
    assert_eq!(admitted(&service, 5, || user("b")).await, 2);
    let response = send(&service, request("/")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(response.extensions().get::<Rejection>().expect("a rejection").reason(), "no_key");
}

#[tokio::test]
async fn a_consumers_own_quota_stands_in_the_place_of_everybodys() {
    let layer = RateLimitLayer::new(Quota::per_hour(2))
        .key(Key::principal_or_ip())
        .consumer("gold", [Quota::per_hour(5)])
        .consumer("free", []);
    let service = layer.layer(Origin::default());
    assert_eq!(admitted(&service, 9, || user("gold")).await, 5);
    assert_eq!(admitted(&service, 9, || user("other")).await, 2);
    assert_eq!(admitted(&service, 9, || user("free")).await, 2, "no quotas are not none");
    let carried = || by(Principal::builder("gold", "api_key").quota(Quota::per_hour(3)).build());
    assert_eq!(admitted(&service, 9, carried).await, 3, "what the key itself says stands above the table");
    let response = send(&service, carried()).await;
    assert_eq!(response.headers()["ratelimit-policy"], r#""hour";q=3;w=3600"#);
    // Where the key is not the principal's, its quotas are not asked for.
    let service = layer.key(Key::route()).layer(Origin::default());
    assert_eq!(admitted(&service, 9, carried).await, 2);
}

#[tokio::test]
async fn a_cost_is_taken_as_a_whole_or_not_at_all() {
    let by_path = |request: &http::request::Parts| if request.uri.path() == "/search" { 4 } else { 1 };
    let service = RateLimitLayer::new(Quota::per_hour(10)).cost_of(by_path).layer(Origin::default());
    assert_eq!(admitted(&service, 3, || request("/search")).await, 2);
    assert_eq!(admitted(&service, 3, || request("/")).await, 2);
    let dear = RateLimitLayer::new(Quota::per_hour(10)).cost(11).layer(Origin::default());
    let response = send(&dear, request("/")).await;
    assert_eq!(response.extensions().get::<Rejection>().expect("a rejection").reason(), "cost_over_burst");
    assert!(!response.headers().contains_key("retry-after"), "no time is late enough");
}

#[tokio::test]
async fn a_dry_run_refuses_nobody_counts_and_tells_the_record() {
    let layer = RateLimitLayer::new(Quota::per_hour(1)).dry_run();
    let service = layer.layer(Origin::default());
    for refused in [false, true, true] {
        let request = request("/");
        let record = record(&request).clone();
        let response = send(&service, request).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(!response.headers().contains_key("ratelimit"));
        let (rejection, would) =
            record.with(|summary| (summary.rejection.clone(), summary.would_reject.clone()));
        assert!(rejection.is_none());
        assert_eq!(would.map(|would| would.reason().to_owned()), refused.then(|| "over_limit".to_owned()));
    }
    assert_eq!((layer.counts().would_refuse(), layer.counts().refused()), (2, 0));
}

#[tokio::test]
async fn without_a_record_clients_share_what_there_is() {
    let service = RateLimitLayer::new(Quota::per_hour(2)).without_headers().layer(Origin::default());
    assert_eq!(admitted(&service, 5, || Request::new(Body::empty())).await, 2);
    let response = send(&service, Request::new(Body::empty())).await;
    assert!(!response.headers().contains_key("ratelimit") && response.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn outer_and_inner_limits_each_say_theirs() {
    let by_tenant = Key::header(HeaderName::from_static("x-tenant"));
    let service = tower::ServiceBuilder::new()
        .layer(RateLimitLayer::new(Quota::per_hour(9)).name("outer"))
        .layer(RateLimitLayer::new(Quota::per_hour(1)).name("inner").key(by_tenant))
        .service(Origin::default());
    for status in [StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        let response = service.clone().oneshot(request("/")).await.expect("answers");
        assert_eq!(response.status(), status);
        let policies: Vec<_> = response.headers().get_all("ratelimit-policy").iter().collect();
        assert_eq!(policies, [r#""inner";q=1;w=3600"#, r#""outer";q=9;w=3600"#]);
    }
}

#[tokio::test]
async fn limits_beside_each_other_take_from_all_or_from_none() {
    let everybody = RateLimitLayer::new(Quota::per_hour(10)).key(Key::everything()).name("everybody");
    let each = RateLimitLayer::new(Quota::per_hour(3)).key(Key::principal()).name("each");
    for order in 0..2 {
        let (everybody, each) =
            (everybody.clone().store(LocalStore::new()), each.clone().store(LocalStore::new()));
        let layer = if order == 0 { everybody.beside(each) } else { each.beside(everybody) };
        let service = layer.layer(Origin::default());
        assert_eq!(admitted(&service, 50, || user("a")).await, 3, "refused by the one");
        let response = send(&service, user("b")).await;
        let fields: Vec<_> =
            response.headers().get_all("ratelimit").iter().map(|value| value.to_str()).collect();
        let everybody = fields.iter().flatten().find(|value| value.starts_with("\"everybody\""));
        assert!(everybody.is_some_and(|value| value.contains(";r=6;")), "{fields:?}");
        assert_eq!(admitted(&service, 50, || user("b")).await, 2);
        assert_eq!(admitted(&service, 50, || user("c")).await, 3);
        assert_eq!(admitted(&service, 50, || user("d")).await, 1, "refused by the other");
    }
}

#[tokio::test]
async fn readiness_is_the_inner_services() {
    let layer = RateLimitLayer::new(Quota::per_hour(1));
    let (mut service, mut handle) = tower_test::mock::spawn_layer::<Request<Body>, Response<Body>, _>(layer);
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
}

#[test]
fn a_layer_says_what_it_is_and_nothing_of_who_came() {
    let layer = RateLimitLayer::new(Quota::per_hour(3)).cost(7).key(Key::route());
    let shown = format!("{layer:?}");
    assert!(shown.contains("route") && shown.contains("7"), "{shown}");
    let counts = layer.counts();
    assert_eq!((counts.refused(), counts.would_refuse(), counts.undecided()), (0, 0, 0));
    let policy = layer.cost_of(|_| 1).into_policy();
    assert_eq!(gatewright_core::Policy::name(&policy), "rate-limit");
    assert!(format!("{policy:?}").contains("route"));
}
