//! A file, assembled, does what it says: requests in, and what an origin sees of them.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use gatewright_config::{Assembly, Config, Gateway};
use gatewright_core::{Body, Clock, RequestRecord};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower::ServiceExt;

/// An origin that answers each request with the head it received, on a connection of its own.
async fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.windows(4).any(|window| window == b"\r\n\r\n") {
                    if stream.read_buf(&mut head).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let length = head.len();
                let start = format!(
                    "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nserver: origin\r\nx-secret: s\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(start.as_bytes()).await;
                let _ = stream.write_all(&head).await;
            });
        }
    });
    address
}

fn parse(text: &str) -> Config {
    Config::parse("gateway.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn assemble(text: &str) -> Gateway {
    Gateway::assemble(&parse(text)).unwrap_or_else(|errors| panic!("{errors}"))
}

async fn send(gateway: &Gateway, request: http::request::Builder) -> Response<String> {
    let request = request.body(Body::empty()).expect("a request");
    let response = gateway.service().oneshot(request).await.expect("never fails");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a whole body").to_bytes();
    Response::from_parts(head, String::from_utf8_lossy(&body).into_owned())
}

async fn get(gateway: &Gateway, path: &str) -> Response<String> {
    send(gateway, Request::get(path).header("host", "api.example.com")).await
}

/// The request line that the origin saw.
fn line(response: &Response<String>) -> &str {
    response.body().lines().next().unwrap_or_default()
}

#[tokio::test]
async fn a_prefix_is_rewritten_and_the_query_kept() {
    let origin = origin().await;
    let gateway = assemble(&format!(
        "access_log: off
routes:
- {{path_prefix: /v1/orders, upstream: \"{origin}\", rewrite: {{prefix: /internal/orders}}}}
- {{path_prefix: \"/t/{{tenant}}/files\", upstream: \"{origin}\", rewrite: {{prefix: \"/files/{{tenant}}/\"}}}}
- {{path_prefix: \"/u/{{user}}\", upstream: \"{origin}\", rewrite: {{path: \"/users/{{user}}\"}}}}
"
    ));
    for (path, seen) in [
        ("/v1/orders/1?x=%20", "/internal/orders/1?x=%20"),
        ("/v1/orders", "/internal/orders"),
        ("/t/a.b/files/x/y", "/files/a.b/x/y"),
        ("/t/a/files", "/files/a"),
        ("/u/7/any/thing?q", "/users/7?q"),
        ("/u/7", "/users/7"),
    ] {
        let response = get(&gateway, path).await;
        assert_eq!(line(&response), format!("GET {seen} HTTP/1.1"), "{path}");
    }
}

#[tokio::test]
async fn patterns_and_regexes_hand_on_what_they_captured() {
    let origin = origin().await;
    let gateway = assemble(&format!(
        "access_log: off
routes:
- {{path: \"/v1/users/{{id}}/avatar\", upstream: \"{origin}\", rewrite: {{path: \"/internal/avatars/{{id}}\"}}}}
- {{path_regex: '/legacy/(\\d+)', upstream: \"{origin}\", rewrite: {{path: /v1/orders/$1}}}}
- {{path_prefix: /m, upstream: \"{origin}\", rewrite: {{regex: '/m/(.*)-(.*)', path: '/$2/$1'}}}}
"
    ));
    for (path, seen) in [
        ("/v1/users/7/avatar", "/internal/avatars/7"),
        ("/legacy/12", "/v1/orders/12"),
        ("/m/a-b", "/b/a"),
        ("/m/ab", "/m/ab"),
    ] {
        let response = get(&gateway, path).await;
        assert_eq!(line(&response), format!("GET {seen} HTTP/1.1"), "{path}");
    }
}

#[tokio::test]
async fn the_upstream_sees_the_clients_host_unless_the_file_says_otherwise() {
    let origin = origin().await;
    let gateway = assemble(&format!(
        "access_log: off
routes:
- {{path: /kept, upstream: \"{origin}\"}}
- {{path: /target, upstream: \"{origin}\", preserve_host: no}}
- {{path: /set, upstream: \"{origin}\", rewrite: {{host: users.internal}}}}
"
    ));
    for (path, host) in
        [("/kept", "api.example.com"), ("/target", &*origin.to_string()), ("/set", "users.internal")]
    {
        let response = get(&gateway, path).await;
        assert!(response.body().contains(&format!("host: {host}\r\n")), "{path}: {}", response.body());
    }
}

#[tokio::test]
async fn headers_are_changed_both_ways() {
    let origin = origin().await;
    let gateway = assemble(&format!(
        "access_log: off
routes:
- path: /a
  upstream: \"{origin}\"
  rewrite:
    request_headers: {{set: {{x-via: gw}}, add: {{x-more: \"2\"}}, remove: [cookie]}}
    response_headers: {{set: {{server: gw}}, remove: x-secret}}
"
    ));
    let request = Request::get("/a").header("host", "h").header("cookie", "a=b").header("x-more", "1");
    let response = send(&gateway, request).await;
    let seen = response.body();
    assert!(seen.contains("x-via: gw\r\n") && !seen.contains("cookie"), "{seen}");
    assert!(seen.contains("x-more: 1\r\n") && seen.contains("x-more: 2\r\n"), "{seen}");
    assert_eq!(response.headers()["server"], "gw");
    assert!(!response.headers().contains_key("x-secret"));
}

#[tokio::test]
async fn a_redirect_is_answered_by_the_gateway() {
    let gateway = assemble(
        "access_log: off
routes:
- {path_regex: '^/legacy/(\\d+)$', redirect: {path: /v1/orders/$1, status: 308}}
- {path_prefix: /old, redirect: {scheme: https, host: new.example.com, port: 8443, prefix: /new}}
- {path: /plain, redirect: {path: /else}}
- {path_prefix: /to, redirect: {path: /to}}
- {path: /secure, redirect: {scheme: http, status: 307}}
- {path: /hosts, host: [api.example.com, www.example.com], redirect: {host: api.example.com, status: 303}}
- {path: /port, redirect: {port: 80, status: 308}}
- {path_regex: '/case/(?i:x)', redirect: {path: /case/x, status: 301}}
",
    );
    for (path, status, location) in [
        ("/legacy/7?x=1", 308, "//api.example.com/v1/orders/7?x=1"),
        ("/old/a?x", 302, "https://new.example.com:8443/new/a?x"),
        ("/plain", 302, "//api.example.com/else"),
        ("/to/deep", 302, "//api.example.com/to"),
        // Some requests of these routes are sent to where they are already.
        ("/to", 302, "//api.example.com/to"),
        ("/to?x", 302, "//api.example.com/to?x"),
        ("/secure", 307, "http://api.example.com/secure"),
        ("/hosts", 303, "//api.example.com/hosts"),
        ("/port", 308, "//api.example.com:80/port"),
        ("/case/X", 301, "//api.example.com/case/x"),
        ("/case/x", 301, "//api.example.com/case/x"),
    ] {
        let response = get(&gateway, path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["location"], location);
    }
}

#[tokio::test]
async fn what_no_route_takes_is_a_problem_with_an_id() {
    let gateway = assemble(
        "access_log: off
routes:
- {path: /a, methods: [POST], upstream: \"127.0.0.1:1\"}
- {path_prefix: /down, upstream: \"127.0.0.1:1\"}
",
    );
    for (path, status) in [("/", 404), ("/a", 405), ("/down", 502)] {
        let response = get(&gateway, path).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let id = response.headers()["x-request-id"].to_str().expect("an id");
        assert!(response.body().contains(id), "{}", response.body());
    }
    assert_eq!(get(&gateway, "/a").await.headers()["allow"], "POST");
}

#[tokio::test]
async fn routes_match_by_host_method_header_and_query() {
    let origin = origin().await;
    let gateway = assemble(&format!(
        "access_log: off
routes:
- {{path: /a, upstream: \"{origin}\", rewrite: {{path: /any}}}}
- {{path: /a, host: \"*.example.com\", upstream: \"{origin}\", rewrite: {{path: /host}}}}
- {{path: /a, methods: [PUT], upstream: \"{origin}\", rewrite: {{path: /method}}}}
- {{path: /a, match: {{headers: {{x-v: {{regex: 'v[12]'}}}}}}, upstream: \"{origin}\", rewrite: {{path: /header}}}}
- {{path: /a, match: {{query: {{beta: 1}}}}, upstream: \"{origin}\", rewrite: {{path: /query}}}}
"
    ));
    let host = |request: http::request::Builder| request.header("host", "h");
    for (request, seen) in [
        (host(Request::get("/a")), "GET /any "),
        (Request::get("/a").header("host", "api.example.com"), "GET /host "),
        (host(Request::put("/a")), "PUT /method "),
        (host(Request::get("/a")).header("x-v", "v2"), "GET /header "),
        (host(Request::get("/a?beta=1")), "GET /query?beta=1 "),
    ] {
        let response = send(&gateway, request).await;
        assert!(line(&response).starts_with(seen), "{seen}: {}", line(&response));
    }
}

#[tokio::test]
async fn an_access_log_is_a_file_beside_the_configuration() {
    let folder = std::env::temp_dir().join(format!("gatewright-log-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let text = "access_log: {file: access.log}\nroutes: [{path: /a, redirect: {path: /b}}]\n";
    let config = Config::parse(folder.join("gateway.yaml"), text).expect("is taken");
    assert!(!folder.join("access.log").exists(), "the check makes no file");
    let gateway = Gateway::assemble(&config).expect("assembles");
    get(&gateway, "/a").await;
    gateway.access_log().expect("a log").flush();
    let log = std::fs::read_to_string(folder.join("access.log")).expect("the log");
    std::fs::remove_dir_all(&folder).expect("removes the folder");
    assert!(log.contains("\"path\":\"/a\"") && log.contains("\"status\":302"), "{log}");
}

/// Tells what the upstream would have got, and which one it is.
async fn probe(request: Request<Body>) -> Result<Response<Body>, std::convert::Infallible> {
    let upstream = RequestRecord::of(request.extensions())
        .and_then(|record| record.with(|known| known.upstream.clone()))
        .map(|upstream| upstream.to_string());
    Ok(Response::new(Body::from(format!("{} {}", upstream.unwrap_or_default(), request.uri()))))
}

#[tokio::test]
async fn a_gateway_can_be_asked_without_its_upstreams_and_at_any_time() {
    let text = "\
upstreams: {orders: {targets: ['192.0.2.1:1']}}
limits: {little: {rate: 1/min, key: client_ip}}
routes:
- {name: orders, path_prefix: /v1/orders, upstream: orders, limit: little, rewrite: {prefix: /internal}}
- {path: /old, redirect: {path: /new}}
- {path: /bare, upstream: 'prices:80'}
";
    let config = parse(text);
    let now = Arc::new(AtomicU64::new(1_800_000_000));
    let seconds = Arc::clone(&now);
    let clock = Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(seconds.load(Ordering::Relaxed)));
    let mut gateway = Assembly::new()
        .terminal(tower::service_fn(probe))
        .clock(clock)
        .gateway(&config)
        .unwrap_or_else(|errors| panic!("{errors}"));
    let stacks: Vec<_> =
        gateway.routes().iter().map(|route| (route.name(), route.layers(), route.upstream())).collect();
    assert_eq!(
        stacks,
        [
            ("orders", &["rate-limit", "rewrite"][..], Some("orders")),
            ("/old", &[], None),
            ("/bare", &[], Some("prices:80")),
        ]
    );
    for reloaded in [false, true] {
        if reloaded {
            gateway.reload(&config).unwrap_or_else(|errors| panic!("{errors}"));
        }
        now.fetch_add(60, Ordering::Relaxed);
        let response = get(&gateway, "/v1/orders/7?x=1").await;
        assert_eq!((response.status().as_u16(), &**response.body()), (200, "orders /internal/7?x=1"));
        assert_eq!(get(&gateway, "/v1/orders/7").await.status(), 429);
        now.fetch_add(59, Ordering::Relaxed);
        assert_eq!(get(&gateway, "/v1/orders/7").await.status(), 429);
        now.fetch_add(2, Ordering::Relaxed);
        assert_eq!(get(&gateway, "/v1/orders/7").await.status(), 200);
        assert_eq!(get(&gateway, "/bare").await.body(), "prices:80 /bare");
        assert_eq!(get(&gateway, "/old").await.status(), 302);
    }
}

#[tokio::test]
async fn a_panic_costs_one_request_and_is_a_500() {
    let config =
        Config::parse("gateway.yaml", "routes: [{path_prefix: /, upstream: 'orders:8080'}]").expect("is right");
    for waits in [false, true] {
        let panics = tower::service_fn(move |request: Request<Body>| {
            let is_bad = request.uri().path() == "/bad";
            assert!(waits || !is_bad, "a fault");
            async move {
                tokio::task::yield_now().await;
                assert!(!is_bad, "a fault");
                Ok(Response::new(Body::from("fine")))
            }
        });
        let gateway =
            Assembly::new().terminal(panics).gateway(&config).unwrap_or_else(|errors| panic!("{errors}"));
        let response = get(&gateway, "/bad").await;
        assert_eq!(response.status(), 500);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert!(response.headers().contains_key("x-request-id"));
        assert!(!response.body().contains("a fault"), "{}", response.body());
        let call = Request::post("/bad").header("host", "x").header("content-type", "application/grpc");
        let response = send(&gateway, call).await;
        assert_eq!(response.headers()["grpc-status"], "2", "in the protocol of the caller");
        assert_eq!(get(&gateway, "/good").await.body(), "fine");
    }
}

/// A body that does not say how long it is.
struct Unsized(Body);

impl http_body::Body for Unsized {
    type Data = bytes::Bytes;
    type Error = gatewright_core::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        std::pin::Pin::new(&mut self.0).poll_frame(cx)
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_a_413_and_others_go_on_whole() {
    let text = "\
defaults: {max_body: 4B}
routes:
- {path: /a, upstream: 'a:80', rewrite: {path: /rewritten}, limit: {concurrent: 1}}
- {path: /b, upstream: 'b:80', max_body: off}
- {path: /c, upstream: 'c:80', max_body: 2KiB}
";
    let config = parse(text);
    let echo = tower::service_fn(async |request: Request<Body>| {
        let path = request.uri().path().to_owned();
        let length = request.into_body().collect().await.map(|body| body.to_bytes().len());
        Ok(match length {
            Ok(length) => Response::new(Body::from(format!("{path} {length}"))),
            Err(error) => {
                gatewright_core::problem::from_error(&error, gatewright_core::ReplyFormat::Problem, None)
                    .map(Body::once)
            }
        })
    });
    let gateway = Assembly::new().terminal(echo).gateway(&config).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(gateway.routes()[0].layers(), ["body-limit", "concurrency-limit", "rewrite"]);
    let unknown_length = |bytes: usize| {
        // A stream says no length before it ends.
        Body::new(Unsized(Body::from("x".repeat(bytes))))
    };
    for (path, length, status, answer) in [
        ("/a", 4, 200, "/rewritten 4"),
        ("/a", 5, 413, ""),
        ("/b", 5000, 200, "/b 5000"),
        ("/c", 2048, 200, "/c 2048"),
        ("/c", 2049, 413, ""),
    ] {
        for body in [Body::from("x".repeat(length)), unknown_length(length)] {
            let request = Request::post(path).header("host", "api.example.com").body(body).expect("a request");
            let response = gateway.service().oneshot(request).await.expect("never fails");
            assert_eq!(response.status(), status, "{path} {length}");
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            assert!(status == 413 || body == answer.as_bytes(), "{path} {length}: {body:?}");
        }
    }
}
