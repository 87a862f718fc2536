//! Each endpoint, before a stack that serves a few requests.

use std::convert::Infallible;

use bytes::Bytes;
use gatewright_admin::{Admin, AdminService, ChangeKind, Reload, View};
use gatewright_core::{Body, Label, LabelKind, Rejection, RequestRecord};
use gatewright_proxy::Upstream;
use gatewright_trace::TraceLayer;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::{ServiceBuilder, ServiceExt, service_fn};

/// A stack that knows the routes of these names by the first part of a path, `/orders/200`, and answers as the second part says.
async fn send(admin: &Admin, labels: &[Label], target: &str) {
    let labels = labels.to_vec();
    let answer = move |request: Request<Body>| {
        let labels = labels.clone();
        async move {
            let mut parts = request.uri().path().split('/').skip(1);
            let (route, status) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
            let status: u16 = status.parse().expect("a status");
            if let Some(record) = RequestRecord::of(request.extensions()) {
                record.with(|known| known.route = labels.iter().find(|label| &***label == route).cloned());
            }
            let (head, _) = request.into_parts();
            let status = StatusCode::from_u16(status).expect("a status");
            let response = match status {
                StatusCode::TOO_MANY_REQUESTS => {
                    Rejection::new(status, "rate-limit", "over_limit").answer(&head).map(Body::once)
                }
                StatusCode::FORBIDDEN => {
                    Rejection::new(status, "ip-filter", "denied").answer(&head).map(Body::once)
                }
                _ => {
                    let mut response = Response::new(Body::from("done"));
                    *response.status_mut() = status;
                    response
                }
            };
            Ok::<_, Infallible>(response)
        }
    };
    let stack = ServiceBuilder::new()
        .layer(TraceLayer::new().observer(admin.observer()).trust_request_ids(gatewright_trace::Trust::Anyone))
        .service(service_fn(answer));
    let request = Request::get(target)
        .header("host", "x")
        .header("x-request-id", target.replace(['/', '?', '=', '<'], "-"));
    let response = stack.oneshot(request.body(Body::empty()).expect("a request")).await.expect("never fails");
    response.into_body().collect().await.expect("a body");
}

fn labels() -> Vec<Label> {
    ["orders", "users"].map(|name| Label::new(LabelKind::Route, name)).to_vec()
}

fn admin(labels: &[Label]) -> Admin {
    let admin = Admin::builder().host("gateway.internal").build();
    let upstream = Upstream::builder("orders").target("127.0.0.1:1").build().expect("an upstream");
    let view = View::new().upstream(upstream).config("gateway.yaml", "ab12", r#"{"listen": "127.0.0.1:8080"}"#);
    admin.show(labels.iter().fold(view, |view, label| view.route(label.clone(), Some("orders"), &["auth"])));
    admin
}

async fn ask(service: &AdminService, request: http::request::Builder) -> Response<Bytes> {
    let response = service.clone().oneshot(request.body(()).expect("a request")).await.expect("never fails");
    let (head, body) = response.into_parts();
    Response::from_parts(head, body.collect().await.expect("a body").to_bytes())
}

async fn get(service: &AdminService, path: &str) -> Response<Bytes> {
    ask(service, Request::get(path).header("host", "127.0.0.1:9901")).await
}

async fn json(service: &AdminService, path: &str) -> Value {
    let response = get(service, path).await;
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (StatusCode::OK, &"application/json".parse().expect("a value")),
        "{path}"
    );
    serde_json::from_slice(response.body()).expect("JSON")
}

#[tokio::test]
async fn a_drain_shows_in_readyz_alone() {
    let admin = admin(&labels());
    let service = admin.clone().into_service();
    assert_eq!(get(&service, "/healthz").await.status(), 200);
    assert_eq!(get(&service, "/readyz").await.status(), 200);
    admin.drain();
    assert_eq!(get(&service, "/healthz").await.status(), 200);
    assert_eq!(get(&service, "/readyz").await.status(), 503);
    assert_eq!(json(&service, "/api/summary").await["ready"], false);
}

#[tokio::test]
async fn whatever_is_no_get_is_refused() {
    let service = admin(&labels()).into_service();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let response =
            ask(&service, Request::builder().method(method).uri("/api/summary").header("host", "localhost"))
                .await;
        assert_eq!(
            (response.status().as_u16(), response.headers()["allow"].as_bytes()),
            (405, &b"GET, HEAD"[..]),
            "{method}"
        );
    }
    let head = ask(&service, Request::head("/").header("host", "localhost")).await;
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    assert_eq!(get(&service, "/nothing").await.status(), 404);
    assert_eq!(get(&service, "/../Cargo.toml").await.status(), 404);
}

#[tokio::test]
async fn a_name_that_is_not_known_gets_nothing_but_the_probes() {
    let service = admin(&labels()).into_service();
    for path in ["/", "/app.js", "/config", "/api/summary", "/api/events"] {
        let response = ask(&service, Request::get(path).header("host", "evil.example:9901")).await;
        assert_eq!(response.status(), 421, "{path}");
    }
    assert_eq!(ask(&service, Request::get("/readyz").header("host", "evil.example")).await.status(), 200);
    assert_eq!(ask(&service, Request::get("/").header("host", "gateway.internal:9901")).await.status(), 200);
}

#[tokio::test]
async fn every_response_forbids_what_the_page_does_not_need() {
    let service = admin(&labels()).into_service();
    for path in ["/", "/app.js", "/style.css", "/api/routes", "/config", "/nothing"] {
        let response = get(&service, path).await;
        let header = |name: &str| response.headers()[name].to_str().expect("a text").to_owned();
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(response.headers().keys().all(|name| !name.as_str().starts_with("access-control-")), "{path}");
    }
}

#[tokio::test]
async fn routes_have_their_requests_errors_and_refusals() {
    let labels = labels();
    let admin = admin(&labels);
    for target in ["/orders/200", "/orders/200", "/orders/503", "/users/429", "/users/403", "/elsewhere/404"] {
        send(&admin, &labels, target).await;
    }
    let service = admin.into_service();
    let found = json(&service, "/api/routes?sort=name").await;
    assert_eq!((&found["total"], &found["matched"]), (&json!(2), &json!(3)));
    let row = |name: &str| {
        found["routes"].as_array().expect("rows").iter().find(|row| row["name"] == name).expect("a row").clone()
    };
    assert_eq!((&row("orders")["requests"], &row("orders")["errors"]), (&json!(3), &json!(1)));
    assert!(row("orders")["p99"].as_f64().is_some_and(|p99| p99 < 1000.0));
    assert_eq!((&row("users")["refused"], &row("users")["limited"]), (&json!(2), &json!(1)));
    assert_eq!(row("users")["reasons"], json!({"rate-limit:over_limit": 1, "ip-filter:denied": 1}));
    assert_eq!(row("")["client_errors"], 1);

    let found = json(&service, "/api/routes?search=ORDERS&rows=1").await;
    // Both routes have the upstream `orders`.
    assert_eq!((&found["matched"], &found["pages"]), (&json!(2), &json!(2)));
    assert_eq!(found["routes"][0]["name"], "orders");
    let found = json(&service, "/api/routes?sort=refused&page=99&rows=none").await;
    assert_eq!((&found["page"], &found["routes"][0]["name"]), (&json!(1), &json!("users")));

    let summary = json(&service, "/api/summary").await;
    assert_eq!(
        summary["totals"],
        json!({"success": 2, "client_error": 1, "server_error": 1, "limited": 1, "refused": 1})
    );
    let upstreams = json(&service, "/api/upstreams").await;
    assert_eq!(upstreams["upstreams"][0]["endpoints"][0]["health"], "unknown");
}

#[tokio::test]
async fn a_request_that_failed_is_found_by_its_id_without_its_secrets() {
    let labels = labels();
    let admin = admin(&labels);
    send(&admin, &labels, "/orders/500?token=hunter2").await;
    send(&admin, &labels, "/users/429").await;
    send(&admin, &labels, "/users/200").await;
    let service = admin.into_service();
    let found = json(&service, "/api/requests?id=-orders-500-token-hunter2").await;
    let request = &found["requests"][0];
    assert_eq!((&request["target"], &request["status"]), (&json!("/orders/500?token=…"), &json!(500)));
    let parts = request["parts"].as_array().expect("parts");
    let sum: f64 = parts.iter().filter_map(|part| part["length"].as_f64()).sum();
    assert!((sum - request["duration"].as_f64().expect("a duration")).abs() < 0.01, "{request}");

    assert_eq!(json(&service, "/api/requests?failed").await["requests"].as_array().map(Vec::len), Some(1));
    assert_eq!(json(&service, "/api/requests?refused").await["requests"][0]["why"], "rate-limit:over_limit");
    assert_eq!(json(&service, "/api/requests?slow").await["requests"], json!([]));
    assert_eq!(json(&service, "/api/requests?id=nobody").await["requests"], json!([]));
    // It is found by its trace as well.
    let trace = request["trace_id"].as_str().expect("a trace").to_owned();
    assert_eq!(json(&service, &format!("/api/requests?id={trace}")).await["requests"][0]["id"], request["id"]);
}

#[tokio::test]
async fn routes_that_are_gone_are_forgotten() {
    let labels = labels();
    let admin = admin(&labels);
    send(&admin, &labels, "/orders/200").await;
    admin.show(View::new().route(labels[1].clone(), None, &[]));
    admin.show(View::new().route(labels[0].clone(), None, &[]));
    let service = admin.into_service();
    assert_eq!(json(&service, "/api/routes?search=orders").await["routes"][0]["requests"], 0);
}

#[tokio::test]
async fn the_configuration_and_its_reloads_are_shown() {
    let admin = admin(&labels());
    admin.note_reload(Reload::accepted("ab12", "cd34").change(ChangeKind::Added, "route", "</script><b>"));
    admin.note_reload(Reload::refused("line 3: no such upstream"));
    let service = admin.into_service();
    let config = json(&service, "/config").await;
    assert_eq!((&config["hash"], &config["settings"]["listen"]), (&json!("ab12"), &json!("127.0.0.1:8080")));
    assert_eq!(config["routes"][0], json!({"name": "orders", "upstream": "orders", "layers": ["auth"]}));
    let reloads = json(&service, "/api/reloads").await;
    assert_eq!(reloads["reloads"][0]["error"], "line 3: no such upstream");
    assert_eq!(
        reloads["reloads"][1]["changes"][0],
        json!({"change": "added", "what": "route", "name": "</script><b>"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_follower_gets_an_event_a_second_and_there_are_sixteen_at_most() {
    let labels = labels();
    let admin = admin(&labels);
    send(&admin, &labels, "/orders/200").await;
    let service = admin.into_service();
    let follow = || {
        let request = Request::get("/api/events").header("host", "[::1]:9901").body(()).expect("a request");
        service.clone().oneshot(request)
    };
    let first = follow().await.expect("never fails");
    assert_eq!(first.headers()["content-type"], "text/event-stream");
    let mut body = first.into_body();
    for _ in 0..3 {
        let frame = body.frame().await.expect("it goes on").expect("no error");
        let text = String::from_utf8(frame.into_data().expect("data").to_vec()).expect("text");
        let data = text.strip_prefix("data: ").and_then(|text| text.strip_suffix("\n\n")).expect("one event");
        let event: Value = serde_json::from_str(data).expect("JSON");
        assert_eq!(event["totals"]["success"], 1);
        assert_eq!(event["column"]["classes"].as_array().map(Vec::len), Some(5));
    }
    let mut others = Vec::new();
    for _ in 0..15 {
        others.push(follow().await.expect("never fails"));
    }
    assert!(others.iter().all(|response| response.status() == 200));
    let refused = follow().await.expect("never fails");
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].as_bytes()), (503, &b"5"[..]));
    drop(body);
    assert_eq!(follow().await.expect("never fails").status(), 200);
}

#[tokio::test]
async fn the_page_names_only_files_that_are_there() {
    let service = admin(&labels()).into_service();
    let page = get(&service, "/").await;
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    let page = String::from_utf8(page.body().to_vec()).expect("text");
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("style="));
    for file in ["style.css", "app.js", "icon.svg"] {
        assert!(page.contains(&format!("\"{file}\"")), "{file}");
    }
    for file in [
        "app.js",
        "charts.js",
        "heat.js",
        "tables.js",
        "requests.js",
        "reloads.js",
        "dom.js",
        "style.css",
        "icon.svg",
    ] {
        let text = get(&service, &format!("/{file}")).await;
        assert_eq!(text.status(), 200, "{file}");
        let text = String::from_utf8(text.body().to_vec()).expect("text");
        for used in text.split("from \"./").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert_eq!(get(&service, &format!("/{used}")).await.status(), 200, "{file} imports {used}");
        }
        assert!(!text.contains("innerHTML"), "{file}: values are never parsed");
    }
}
