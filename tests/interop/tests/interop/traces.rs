//! Traces through the gateway and two services, in a collector of another make.
//!
//! The collector and the services are Python with grpcio and PyPI's `opentelemetry-proto`. The services record spans of their own,
//! whose parents are what the gateway told them.

use std::{collections::HashMap, fs, net::SocketAddr, path::PathBuf};

use harness::{
    Gateway, RawClient, Response, TempDir, eventually,
    peer::{self, PeerServer},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

/// A span as the collector writes it down.
#[derive(Debug, Clone, Deserialize)]
struct Span {
    service: String,
    resource: HashMap<String, Value>,
    trace: String,
    id: String,
    parent: String,
    name: String,
    kind: String,
    status: String,
    start: u64,
    end: u64,
    flags: u32,
    attributes: HashMap<String, Value>,
    links: Vec<[String; 2]>,
}

impl Span {
    fn attribute(&self, name: &str) -> Option<&Value> {
        self.attributes.get(name)
    }
}

const CALLERS_TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLERS_SPAN: &str = "00f067aa0ba902b7";

fn python_script(name: &str) -> Command {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("peers").join(name);
    let mut command = Command::new(peer::python());
    command.arg(script);
    command
}

/// The gateway between a caller and services, with a collector.
struct Scene {
    gateway: Gateway,
    file: PathBuf,
    _peers: Vec<PeerServer>,
    _folder: TempDir,
}

impl Scene {
    async fn start(protocol: &str, telemetry: &str) -> Self {
        let folder = TempDir::new();
        let file = folder.write("spans.jsonl", "");
        let receiver = PeerServer::start(python_script("otlp_receiver.py").arg(protocol).arg(&file)).await;
        let collector = receiver.address();
        let service = |name: &'static str, next: Option<SocketAddr>| {
            let mut command = python_script("traced_service.py");
            command.args([name, protocol, &collector.to_string()]);
            command.args(next.map(|next| next.to_string()));
            command
        };
        let stock = PeerServer::start(&mut service("stock", None)).await;
        let orders = PeerServer::start(&mut service("orders", Some(stock.address()))).await;
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let to = orders.address();
        let yaml = format!(
            "telemetry: {{otlp: \"http://{collector}\", protocol: {protocol}, service: edge, \
             attributes: {{deployment.environment.name: test}}, {telemetry}}}\n\
             routes:\n\
             - {{path_prefix: /orders, upstream: \"{to}\"}}\n\
             - {{path_prefix: /busy, upstream: \"{to}\", retries: {{attempts: 1, on: [503]}}}}\n\
             - {{path_prefix: /broken, upstream: \"{to}\"}}\n\
             - {{path_prefix: /nobody, upstream: \"{nobody}\"}}\n\
             - {{path_prefix: /closed, upstream: \"{to}\", allow_ips: [192.0.2.1]}}\n"
        );
        let gateway = Gateway::builder(&yaml).start();
        Self { gateway, file, _peers: vec![receiver, stock, orders], _folder: folder }
    }

    async fn get(&self, path: &str, fields: &str) -> Response {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: api.example:8080\r\n{fields}Connection: close\r\n\r\n");
        RawClient::once(self.gateway.address(), request).await
    }

    fn spans(&self) -> Vec<Span> {
        let text = fs::read_to_string(&self.file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The spans, once there are so many.
    async fn has_spans(&self, count: usize) -> Vec<Span> {
        eventually("spans in the collector", || self.spans().len() >= count).await;
        self.spans()
    }
}

/// The trace of the caller, sampled.
fn of_caller() -> String {
    format!("traceparent: 00-{CALLERS_TRACE}-{CALLERS_SPAN}-01\r\ntracestate: vendor=1\r\nbaggage: user=7\r\n")
}

fn find<'a>(spans: &'a [Span], what: &str, matches: impl Fn(&Span) -> bool) -> &'a Span {
    let found: Vec<_> = spans.iter().filter(|span| matches(span)).collect();
    assert_eq!(found.len(), 1, "{what} among {spans:#?}");
    found[0]
}

fn server_span(spans: &[Span]) -> &Span {
    find(spans, "the gateway's server span", |span| span.service == "edge" && span.kind == "SPAN_KIND_SERVER")
}

/// The client spans, in the order in which they began.
fn attempts(spans: &[Span]) -> Vec<&Span> {
    let mut attempts: Vec<_> = spans.iter().filter(|span| span.kind == "SPAN_KIND_CLIENT").collect();
    attempts.sort_by_key(|span| span.start);
    attempts
}

/// The trace is one, each parent is a span of it or the caller's, and a child is no older than its parent.
fn is_one_trace(spans: &[Span]) {
    for span in spans {
        assert_eq!(span.trace, CALLERS_TRACE, "{span:?}");
        assert!(span.start > 0 && span.start <= span.end, "{span:?}");
        if span.parent == CALLERS_SPAN {
            continue;
        }
        let parent = find(spans, &format!("the parent of {span:?}"), |other| other.id == span.parent);
        if parent.service == span.service {
            assert!(parent.start <= span.start && span.end <= parent.end, "{span:?} is within {parent:?}");
        }
    }
}

async fn holds(protocol: &str) {
    served(&Scene::start(protocol, "").await).await;
    retried(&Scene::start(protocol, "").await).await;
    failed(&Scene::start(protocol, "").await).await;
    refused(&Scene::start(protocol, "").await).await;
}

async fn served(scene: &Scene) {
    let response = scene.get("/orders/7?token=hunter2", &of_caller()).await;
    assert_eq!(response.status(), 200, "{:?}", response.head);
    let spans = scene.has_spans(4).await;
    is_one_trace(&spans);
    let server = server_span(&spans);
    assert_eq!((server.parent.as_str(), server.status.as_str()), (CALLERS_SPAN, "STATUS_CODE_UNSET"));
    assert_eq!(server.name, "GET /orders");
    assert_eq!(server.flags & 0x301, 0x301, "sampled, and its parent is in another process");
    for (name, value) in [
        ("http.request.method", Value::from("GET")),
        ("url.path", "/orders/7".into()),
        ("url.scheme", "http".into()),
        ("http.route", "/orders".into()),
        ("http.response.status_code", 200.into()),
        ("server.address", "api.example".into()),
        ("server.port", 8080.into()),
        ("client.address", "127.0.0.1".into()),
        ("network.protocol.version", "1.1".into()),
    ] {
        assert_eq!(server.attribute(name), Some(&value), "{name} of {server:#?}");
    }
    assert_eq!(server.resource["deployment.environment.name"], "test");
    let attempts = attempts(&spans);
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].parent.as_str(), attempts[0].name.as_str()), (server.id.as_str(), "GET"));
    assert_eq!(attempts[0].attribute("http.request.resend_count"), None);
    let url = attempts[0].attribute("url.full").and_then(Value::as_str).unwrap();
    assert!(url.starts_with("http://127.0.0.1:") && url.ends_with("/orders/7"), "{url}");
    // What the services saw is what the collector has.
    let orders = find(&spans, "the span of `orders`", |span| span.service == "orders");
    assert_eq!(orders.parent, attempts[0].id);
    let stock = find(&spans, "the span of `stock`", |span| span.service == "stock");
    assert_eq!(stock.parent, orders.id);
    let seen: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(seen["traceparent"], format!("00-{CALLERS_TRACE}-{}-01", attempts[0].id));
    assert_eq!((&seen["tracestate"], &seen["baggage"]), (&"vendor=1".into(), &"user=7".into()));
    assert!(!fs::read_to_string(&scene.file).unwrap().contains("hunter2"), "queries hold secrets");
}

async fn retried(scene: &Scene) {
    assert_eq!(scene.get("/busy/7", &of_caller()).await.status(), 200);
    // The server span, two attempts, `orders` twice, and `stock`.
    let spans = scene.has_spans(6).await;
    is_one_trace(&spans);
    let server = server_span(&spans);
    let attempts = attempts(&spans);
    let facts: Vec<_> = attempts
        .iter()
        .map(|span| {
            let attribute = |name: &str| span.attribute(name).cloned();
            let (status, resent) =
                (attribute("http.response.status_code"), attribute("http.request.resend_count"));
            (span.status.as_str(), status, resent, attribute("error.type"))
        })
        .collect();
    assert_eq!(
        facts,
        [
            ("STATUS_CODE_ERROR", Some(503.into()), None, Some("503".into())),
            ("STATUS_CODE_UNSET", Some(200.into()), Some(1.into()), None),
        ]
    );
    assert!(attempts.iter().all(|span| span.parent == server.id), "there is no span between");
    let mut parents: Vec<_> =
        spans.iter().filter(|span| span.service == "orders").map(|span| span.parent.as_str()).collect();
    parents.sort_unstable();
    let mut ids: Vec<_> = attempts.iter().map(|span| span.id.as_str()).collect();
    ids.sort_unstable();
    assert_eq!(parents, ids, "each attempt is the parent that its service saw");
    assert_eq!(server.status, "STATUS_CODE_UNSET");
}

async fn failed(scene: &Scene) {
    assert_eq!(scene.get("/nobody", &of_caller()).await.status(), 502);
    let spans = scene.has_spans(2).await;
    is_one_trace(&spans);
    let server = server_span(&spans);
    assert_eq!(server.status, "STATUS_CODE_ERROR");
    assert_eq!(server.attribute("error.type"), Some(&"connect".into()));
    let attempt = attempts(&spans)[0];
    assert_eq!(
        (attempt.status.as_str(), attempt.attribute("error.type")),
        ("STATUS_CODE_ERROR", Some(&"connect".into()))
    );
    assert_eq!(scene.get("/broken", &of_caller()).await.status(), 502);
    let spans = scene.has_spans(4).await;
    is_one_trace(&spans);
    let broken = find(&spans, "the attempt that was not answered", |span| {
        span.kind == "SPAN_KIND_CLIENT" && span.attribute("error.type") != Some(&"connect".into())
    });
    assert_eq!(broken.status, "STATUS_CODE_ERROR");
    assert_eq!(broken.attribute("http.response.status_code"), None);
}

async fn refused(scene: &Scene) {
    assert_eq!(scene.get("/closed", &of_caller()).await.status(), 403);
    assert_eq!(scene.get("/missing", &of_caller()).await.status(), 404);
    let spans = scene.has_spans(2).await;
    assert_eq!(spans.len(), 2, "a refusal is nothing but a server span: {spans:#?}");
    is_one_trace(&spans);
    let closed = find(&spans, "the refused one", |span| span.name == "GET /closed");
    assert_eq!(closed.status, "STATUS_CODE_UNSET", "4xx is no error of a server");
    assert_eq!(closed.attribute("http.response.status_code"), Some(&403.into()));
    let missing = find(&spans, "the one without a route", |span| span.name == "GET");
    assert_eq!(missing.attribute("http.route"), None);
}

#[tokio::test]
async fn a_trace_goes_through_the_gateway_and_two_services_to_a_collector_over_grpc() {
    holds("grpc").await;
}

#[tokio::test]
async fn a_trace_goes_through_the_gateway_and_two_services_to_a_collector_over_http() {
    holds("http").await;
}

#[tokio::test]
async fn what_is_not_sampled_leaves_no_span_unless_it_fails() {
    let scene = Scene::start("http", "sample: 0%").await;
    for _ in 0..3 {
        assert_eq!(scene.get("/orders/7", "").await.status(), 200);
    }
    let unsampled = format!("traceparent: 00-{CALLERS_TRACE}-{CALLERS_SPAN}-00\r\n");
    assert_eq!(scene.get("/orders/7", &unsampled).await.status(), 200, "the caller has decided");
    assert_eq!(scene.get("/nobody", &unsampled).await.status(), 502);
    assert_eq!(scene.get("/orders/7", &of_caller()).await.status(), 200, "the caller has decided otherwise");
    let spans = scene.has_spans(5).await;
    let late = find(&spans, "the late span", |span| span.status == "STATUS_CODE_ERROR");
    assert_eq!((late.trace.as_str(), late.parent.as_str(), late.flags & 1), (CALLERS_TRACE, "", 0));
    assert_eq!(spans.iter().filter(|span| span.service == "edge").count(), 3, "{spans:#?}");
}

#[tokio::test]
async fn a_stranger_is_linked_and_not_followed() {
    let scene = Scene::start("grpc", "trust: nobody").await;
    let response = scene.get("/orders/7", &of_caller()).await;
    let seen: Value = serde_json::from_slice(&response.body).unwrap();
    assert!(!seen["traceparent"].as_str().unwrap().contains(CALLERS_TRACE), "{seen}");
    assert_eq!((&seen["tracestate"], &seen["baggage"]), (&Value::Null, &Value::Null));
    let spans = scene.has_spans(4).await;
    let server = server_span(&spans);
    assert_eq!(
        (server.parent.as_str(), &server.links),
        ("", &vec![[CALLERS_TRACE.to_owned(), CALLERS_SPAN.to_owned()]])
    );
    assert!(spans.iter().all(|span| span.trace == server.trace && span.trace != CALLERS_TRACE));
}

#[tokio::test]
async fn the_last_spans_are_sent_when_the_gateway_ends() {
    for protocol in ["grpc", "http"] {
        let mut scene = Scene::start(protocol, "").await;
        scene.get("/closed", &of_caller()).await;
        // The exporter gathers for a second, and the gateway ends before.
        scene.gateway.signal("TERM");
        assert!(scene.gateway.exit().await.success());
        assert_eq!(scene.spans().len(), 1, "{protocol}");
    }
}

#[tokio::test]
async fn a_collector_that_is_down_costs_spans_and_nothing_else() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let yaml = format!(
        "telemetry: {{otlp: \"http://{nobody}\", queue: 512}}\nroutes:\n- {{path: /moved, redirect: {{path: /}}}}\n"
    );
    let mut gateway = Gateway::builder(&yaml).start();
    let mut client = RawClient::connect(gateway.address()).await;
    for _ in 0..3000 {
        let response = client.exchange("GET /moved HTTP/1.1\r\nHost: a\r\n\r\n").await;
        assert!(response.status() < 400);
    }
    drop(client);
    gateway.signal("TERM");
    assert!(gateway.exit().await.success());
    let stderr = gateway.stderr();
    assert_eq!(
        stderr.matches("the collector does not take spans").count(),
        1,
        "once a minute at most: {stderr}"
    );
    assert!(stderr.contains("spans in all were not sent"), "{stderr}");
}
