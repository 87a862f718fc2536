//! The admin of a gateway that serves, drains and is busy.

use harness::{Gateway, Origin, RawClient, Reply, Response, Step, eventually};

const ADMIN: &str = "admin: 127.0.0.1:0\n";

async fn ask(gateway: &mut Gateway, path: &str) -> Response {
    let admin = gateway.admin();
    RawClient::once(admin, format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n")).await
}

async fn send(gateway: &Gateway, path: &str) -> Response {
    RawClient::once(gateway.address(), format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
        .await
}

fn gateway(origin: &Origin, more: &str) -> Gateway {
    let address = origin.address();
    Gateway::builder(&format!(
        "{ADMIN}{more}routes:\n- {{path_prefix: /, name: all, upstream: \"{address}\"}}\n"
    ))
    .start()
}

#[tokio::test]
async fn it_answers_until_the_end_of_a_drain_and_says_that_it_is_not_ready() {
    let origin = Origin::start(|_| vec![Step::Head, Step::Hang]).await;
    let mut gateway = gateway(&origin, "timeouts: {drain: 50s}\n");
    assert_eq!(ask(&mut gateway, "/readyz").await.status(), 200);
    let mut client = RawClient::connect(gateway.address()).await;
    client.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    origin.has_requests(1).await;
    assert_eq!(
        ask(&mut gateway, "/api/upstreams").await.json()["upstreams"][0]["endpoints"][0]["in_flight"],
        1
    );
    gateway.signal("TERM");
    let mut drains = false;
    while !drains {
        drains = ask(&mut gateway, "/readyz").await.status() == 503;
    }
    assert_eq!(ask(&mut gateway, "/healthz").await.status(), 200);
    assert_eq!(ask(&mut gateway, "/api/summary").await.json()["ready"], false);
    client.reset();
    assert_eq!(gateway.exit().await.code(), Some(0), "{}", gateway.stderr());
}

#[tokio::test]
async fn what_a_client_writes_is_counted_and_shown_as_text() {
    let origin = Origin::answering(|request| match request.target().contains("fail") {
        true => Reply::new(500),
        false => Reply::text("fine"),
    })
    .await;
    let mut gateway = gateway(&origin, "");
    for _ in 0..3 {
        assert_eq!(send(&gateway, "/fine").await.status(), 200);
    }
    let failed = send(&gateway, "/fail/%3Cscript%3E?password=hunter2&x=%22").await;
    let id = failed.header("x-request-id").expect("an id").to_owned();
    // Its body may have reached the client before the gateway counts it.
    let mut found = serde_json::Value::Null;
    while found["requests"].as_array().is_none_or(Vec::is_empty) {
        found = ask(&mut gateway, &format!("/api/requests?id={id}")).await.json();
    }
    let request = &found["requests"][0];
    assert_eq!(request["target"], "/fail/%3Cscript%3E?password=…&x=…");
    assert_eq!((&request["status"], &request["route"]), (&500.into(), &"all".into()));
    assert!(
        request["parts"].as_array().is_some_and(|parts| parts.iter().any(|part| part["kind"] == "upstream")),
        "{request}"
    );
    let routes = ask(&mut gateway, "/api/routes").await.json();
    assert_eq!((&routes["routes"][0]["requests"], &routes["routes"][0]["errors"]), (&4.into(), &1.into()));
}

#[tokio::test]
async fn an_endpoint_that_dies_is_down_and_one_that_comes_back_is_up() {
    let origin = Origin::ok().await;
    let address = origin.address();
    let mut gateway = gateway(&origin, "");
    assert_eq!(send(&gateway, "/").await.status(), 200);
    async fn health(gateway: &mut Gateway) -> String {
        let shown = ask(gateway, "/api/upstreams").await.json();
        shown["upstreams"][0]["endpoints"][0]["health"].as_str().expect("a word").to_owned()
    }
    assert_eq!(health(&mut gateway).await, "up");
    origin.stop().await;
    for _ in 0..3 {
        assert_eq!(send(&gateway, "/").await.status(), 502);
    }
    assert_eq!(health(&mut gateway).await, "down");
    assert_eq!(ask(&mut gateway, "/api/summary").await.json()["down"], 1);
    let _origin = Origin::start_at(address, |_| {
        vec![Step::Head, Step::Body, Step::Send(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()), Step::Hang]
    })
    .await;
    assert_eq!(send(&gateway, "/").await.status(), 204);
    assert_eq!(health(&mut gateway).await, "up");
}

#[tokio::test]
async fn it_does_nothing_but_show() {
    let origin = Origin::ok().await;
    let mut gateway = gateway(&origin, "");
    let admin = gateway.admin();
    for (request, status) in [
        (format!("POST /api/summary HTTP/1.1\r\nHost: {admin}\r\nContent-Length: 0\r\n\r\n"), 405),
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 421),
        ("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 200),
        (format!("GET /metrics HTTP/1.1\r\nHost: {admin}\r\n\r\n"), 200),
        (format!("GET /..%2f..%2fetc/passwd HTTP/1.1\r\nHost: {admin}\r\n\r\n"), 404),
    ] {
        let answer = RawClient::once(admin, &request).await;
        assert_eq!(answer.status(), status, "{request}");
        assert!(answer.header("content-security-policy").is_some(), "{request}");
    }
    // None of these was a request of the gateway.
    assert_eq!(ask(&mut gateway, "/api/summary").await.json()["minute"]["requests"], 0);
    eventually("nothing in the access log", || gateway.access_log_text().is_empty()).await;
}
