//! The admin of a gateway from a file: what it shows, and what it keeps to itself.
#![cfg(feature = "admin")]

use gatewright_config::{Config, Gateway};
use gatewright_core::Body;
use http::Request;
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

fn read(text: &str) -> Config {
    Config::parse("gateway.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

async fn ask(gateway: &Gateway, path: &str) -> (u16, Value) {
    let admin = gateway.admin().expect("the file asks for one").clone();
    let request = Request::get(path).header("host", "127.0.0.1").body(()).expect("a request");
    let response = admin.into_service().oneshot(request).await.expect("never fails");
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default())
}

const FILE: &str = r#"
admin: 127.0.0.1:0
access_log: off
upstreams: {orders: {targets: ["127.0.0.1:1"]}}
routes:
- path_prefix: /v1/orders
  upstream: orders
  # secret: hunter2
  rewrite: {request_headers: {set: {x-internal-token: hunter2, x-other: "a ${env:PATH}"}}}
"#;

#[tokio::test]
async fn the_configuration_is_shown_without_its_secrets() {
    let config = read(FILE);
    let gateway = Gateway::assemble(&config).expect("assembles");
    let (status, shown) = ask(&gateway, "/config").await;
    assert_eq!((status, shown["hash"].as_str()), (200, Some(config.hash())));
    assert_eq!(config.hash().len(), 64);
    assert_eq!(shown["settings"]["upstreams"]["orders"]["targets"][0], "127.0.0.1:1");
    assert_eq!(shown["routes"][0]["name"], "/v1/orders");
    let path = std::env::var("PATH").unwrap_or_default();
    let text = shown.to_string();
    assert!(!text.contains("hunter2") && (path.is_empty() || !text.contains(&path)), "{text}");
    assert!(text.contains("[redacted]"));
}

#[tokio::test]
async fn a_request_shows_at_its_route_and_a_reload_says_what_it_changed() {
    let mut gateway = Gateway::assemble(&read(FILE)).expect("assembles");
    let request = Request::get("/v1/orders/1").header("host", "x").body(Body::empty()).expect("a request");
    let response = gateway.service().oneshot(request).await.expect("never fails");
    assert_eq!(response.status(), 502);
    response.into_body().collect().await.expect("a body");
    let (_, routes) = ask(&gateway, "/api/routes").await;
    assert_eq!(
        (&routes["routes"][0]["errors"], &routes["routes"][0]["name"]),
        (&1.into(), &"/v1/orders".into())
    );

    let before = read(FILE).hash().to_owned();
    let after = FILE.replace("127.0.0.1:1\"", "127.0.0.1:2\"") + "- {path: /new, redirect: {path: /there}}\n";
    gateway.reload(&read(&after)).expect("reloads");
    let (_, reloads) = ask(&gateway, "/api/reloads").await;
    let last = &reloads["reloads"][0];
    assert_eq!((last["ok"].as_bool(), last["hash_before"].as_str()), (Some(true), Some(&*before)));
    let changes = last["changes"].as_array().expect("changes").iter();
    let changes: Vec<_> = changes.map(|it| format!("{} {} {}", it["what"], it["name"], it["change"])).collect();
    assert_eq!(changes, [r#""route" "/new" "added""#, r#""upstream" "orders" "changed""#]);
    // A reload that says the same in other words changes nothing with a name.
    gateway.reload(&read(&format!("# Another comment.\n{after}"))).expect("reloads");
    let (_, reloads) = ask(&gateway, "/api/reloads").await;
    assert_eq!(reloads["reloads"][0]["changes"], Value::Array(Vec::new()));
    // The route that stayed has its counts still.
    let (_, routes) = ask(&gateway, "/api/routes?search=orders").await;
    assert_eq!(routes["routes"][0]["errors"], 1);
}

#[tokio::test]
async fn the_admin_stays_where_it_is() {
    let mut gateway = Gateway::assemble(&read(FILE)).expect("assembles");
    for other in ["admin: 127.0.0.1:9", "admin: off", "admin: {address: 127.0.0.1:0, slow: 5s}"] {
        let errors = gateway.reload(&read(&FILE.replace("admin: 127.0.0.1:0", other))).expect_err("is refused");
        assert!(errors.to_string().contains("`admin` cannot change while the gateway runs"), "{errors}");
    }
}
