//! The exporter against a collector over a socket, which answers what a test says.
#![cfg(feature = "otlp")]

use std::{
    convert::Infallible,
    future::Future,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener},
    pin::Pin,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use gatewright_core::{
    Attempt, Decision, Label, LabelKind, Policy, PolicyLayer, Rejection, RequestRecord, policy_fn,
};
use gatewright_trace::{Otlp, OtlpProtocol, TraceLayer, Trust};
use http::{Request, Response, StatusCode, request::Parts};
use http_body_util::Empty;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value::Value,
    trace::v1::{Span, span::SpanKind, status},
};
use prost::Message as _;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

type Body = Empty<bytes::Bytes>;

const SOON: Duration = Duration::from_secs(20);

/// A collector over HTTP/1.1 that gives each batch one of these answers, the last one for ever, and hands over the spans.
fn collector(answers: &'static [&'static str]) -> (SocketAddr, Receiver<Vec<Span>>) {
    let (sender, spans) = mpsc::channel();
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = listener.local_addr().expect("is bound");
    thread::spawn(move || {
        let mut answers = answers.iter().copied();
        let mut answer = answers.next().expect("an answer");
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            loop {
                let (mut length, mut line) = (0, String::new());
                while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                    let lower = line.to_ascii_lowercase();
                    if let Some(text) = lower.strip_prefix("content-length:") {
                        length = text.trim().parse().expect("a length");
                    }
                    line.clear();
                }
                if length == 0 {
                    break;
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).expect("reads a body");
                let request = ExportTraceServiceRequest::decode(&*body).expect("is a batch");
                let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
                let _ = sender.send(scopes.flat_map(|scope| scope.spans).collect());
                let text = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
                reader.get_mut().write_all(text.as_bytes()).expect("answers");
                answer = answers.next().unwrap_or(answer);
            }
        }
    });
    (address, spans)
}

fn exporter(address: SocketAddr) -> gatewright_trace::OtlpBuilder {
    let builder = Otlp::builder(&format!("http://{address}")).protocol(OtlpProtocol::Http);
    // Nothing is sent before somebody asks.
    builder.interval(Duration::from_secs(3600))
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "a.example").body(Body::new()).expect("a request")
}

/// Sends a request through a service that answers with this status.
async fn ask(otlp: &Otlp, request: Request<Body>, status: StatusCode) {
    let service = service_fn(move |_: Request<Body>| async move {
        let mut response = Response::new(Body::new());
        *response.status_mut() = status;
        Ok::<_, Infallible>(response)
    });
    let layer = TraceLayer::new().observer(otlp.clone());
    drop(layer_around(layer, service).oneshot(request).await);
}

fn layer_around<S>(layer: TraceLayer, service: S) -> gatewright_trace::TraceService<S> {
    ServiceBuilder::new().layer(layer).service(service)
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        other => panic!("{other:?}"),
    }
}

fn code(span: &Span) -> i32 {
    span.status.as_ref().map_or(0, |status| status.code)
}

const ERROR: i32 = status::StatusCode::Error as i32;

#[tokio::test(flavor = "current_thread")]
async fn a_flush_sends_all_also_from_the_only_thread_of_a_runtime() {
    let (address, spans) = collector(&["200 OK"]);
    let otlp = exporter(address).build().expect("builds");
    for _ in 0..5 {
        ask(&otlp, get("/"), StatusCode::OK).await;
    }
    assert_eq!((otlp.queued(), otlp.exported()), (5, 0));
    assert!(otlp.flush(SOON));
    assert_eq!(spans.recv_timeout(SOON).expect("a batch").len(), 5);
    assert_eq!((otlp.queued(), otlp.exported(), otlp.dropped()), (0, 5, 0));
    assert!(otlp.flush(SOON), "nothing is left");
}

#[tokio::test]
async fn what_is_left_is_sent_when_the_last_clone_is_gone() {
    let (address, spans) = collector(&["200 OK"]);
    let otlp = exporter(address).build().expect("builds");
    ask(&otlp, get("/"), StatusCode::OK).await;
    drop(otlp);
    assert_eq!(spans.recv_timeout(SOON).expect("a batch").len(), 1);
}

#[tokio::test]
async fn spans_that_find_the_queue_full_are_counted() {
    let (address, spans) = collector(&["200 OK"]);
    let otlp =
        exporter(address).batch(10).queue(10).interval(Duration::from_secs(3600)).build().expect("builds");
    for _ in 0..200 {
        ask(&otlp, get("/"), StatusCode::OK).await;
        assert!(otlp.queued() <= 10);
    }
    otlp.flush(SOON);
    let came: usize = spans.try_iter().map(|batch| batch.len()).sum();
    assert_eq!(came as u64, otlp.exported());
    assert_eq!(otlp.exported() + otlp.dropped(), 200, "each span is sent or counted");
}

#[tokio::test]
async fn a_batch_that_is_put_off_is_sent_again_and_one_that_is_refused_is_not() {
    let (address, spans) = collector(&["503 Busy\r\nretry-after: 0", "400 Bad", "200 OK"]);
    let otlp = exporter(address).build().expect("builds");
    ask(&otlp, get("/first"), StatusCode::OK).await;
    assert!(!otlp.flush(SOON), "it is put off");
    assert_eq!(otlp.exported(), 0);
    let path = |batch: &[Span]| attribute(&batch[0], "url.path").expect("a path");
    assert_eq!(path(&spans.recv_timeout(SOON).expect("a batch")), "/first");
    assert_eq!(path(&spans.recv_timeout(SOON).expect("again, without a flush")), "/first");
    ask(&otlp, get("/second"), StatusCode::OK).await;
    otlp.flush(SOON);
    assert_eq!(path(&spans.recv_timeout(SOON).expect("a batch")), "/second");
    assert_eq!((otlp.exported(), otlp.dropped()), (1, 1));
}

#[tokio::test]
async fn a_collector_that_is_away_fails_a_flush_and_nothing_else() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("is bound");
    for protocol in [OtlpProtocol::Http, OtlpProtocol::Grpc] {
        let otlp = exporter(nobody).protocol(protocol).build().expect("builds");
        ask(&otlp, get("/"), StatusCode::OK).await;
        assert!(!otlp.flush(SOON));
    }
}

#[test]
fn addresses_that_are_none_are_told() {
    for (url, protocol) in [
        ("127.0.0.1:4317", OtlpProtocol::Grpc),
        ("ftp://127.0.0.1:4317", OtlpProtocol::Grpc),
        ("http://user:secret@a:4317", OtlpProtocol::Http),
        ("http://a:4317/path", OtlpProtocol::Grpc),
        ("http://a:4318/?x=y", OtlpProtocol::Http),
        ("", OtlpProtocol::Http),
    ] {
        let error = Otlp::builder(url).protocol(protocol).check().expect_err(url);
        assert_eq!(error.field(), Some("endpoint"), "{url}");
    }
    let error = Otlp::builder("http://a:1").header("a b", "c").check().expect_err("no header");
    assert_eq!(error.field(), Some("header"));
    Otlp::builder("http://a:4318/base/").protocol(OtlpProtocol::Http).check().expect("has a base path");
}

#[tokio::test]
async fn server_spans_follow_the_conventions() {
    let (address, spans) = collector(&["200 OK"]);
    let otlp = exporter(address).build().expect("builds");
    for status in [200, 404, 429, 500, 503] {
        ask(&otlp, get("/x?token=secret"), StatusCode::from_u16(status).expect("a status")).await;
    }
    let brew = Request::builder().method("BREW").uri("/pot").body(Body::new()).expect("a request");
    ask(&otlp, brew, StatusCode::OK).await;
    assert!(otlp.flush(SOON));
    let spans = spans.recv_timeout(SOON).expect("a batch");
    let codes: Vec<_> = spans.iter().map(code).collect();
    assert_eq!(codes, [0, 0, 0, ERROR, ERROR, 0], "4xx leaves a server span unset");
    assert_eq!(attribute(&spans[3], "error.type").as_deref(), Some("500"));
    assert_eq!((spans[0].name.as_str(), spans[0].kind), ("GET", SpanKind::Server as i32));
    assert_eq!(attribute(&spans[0], "server.address").as_deref(), Some("a.example"));
    let brew = &spans[5];
    assert_eq!(brew.name, "HTTP");
    assert_eq!(attribute(brew, "http.request.method").as_deref(), Some("_OTHER"));
    assert_eq!(attribute(brew, "http.request.method_original").as_deref(), Some("BREW"));
    assert!(!format!("{spans:?}").contains("secret"));
}

/// A policy that asks somebody else.
struct FarAway;

impl Policy for FarAway {
    type Grant = ();
    type Future = Pin<Box<dyn Future<Output = Result<(), Rejection>> + Send>>;

    fn name(&self) -> &'static str {
        "far-away"
    }

    fn decide(&self, _: &mut Parts) -> Decision<(), Self::Future> {
        Decision::Later(Box::pin(async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(())
        }))
    }
}

#[tokio::test]
async fn policies_that_wait_attempts_and_parts_have_spans_of_their_own() {
    let (address, spans) = collector(&["200 OK"]);
    let otlp = exporter(address).build().expect("builds");
    let label = |kind, name: &str| Label::new(kind, name);
    let upstream = label(LabelKind::Upstream, "orders");
    let service = service_fn(move |request: Request<Body>| {
        let record = RequestRecord::of(request.extensions()).expect("a record").clone();
        let upstream = upstream.clone();
        async move {
            let leg = record.begin_leg(Label::new(LabelKind::Part, "prices"));
            assert!(leg.watches_attempts());
            for (record, port) in [(&record, "a:1"), (&leg, "b:2")] {
                record.with_layers(|known, layers| {
                    let endpoint = Label::new(LabelKind::Endpoint, port);
                    let span = known.span.expect("a span");
                    layers.add_attempt(Attempt::begin(&span, upstream.clone(), endpoint));
                    layers.attempt_mut().expect("an attempt").status = Some(StatusCode::NOT_FOUND);
                });
            }
            Ok::<_, Infallible>(Response::new(Body::new()))
        }
    });
    let at_once = policy_fn("at-once", |_: &mut Parts| Ok(()));
    let mut stack = ServiceBuilder::new()
        .layer(TraceLayer::new().trust_traces(Trust::Nobody).observer(otlp.clone()))
        .layer(PolicyLayer::new(at_once))
        .layer(PolicyLayer::new(FarAway))
        .service(service);
    drop(stack.ready().await.expect("is ready").call(get("/")).await);
    assert!(otlp.flush(SOON));
    let spans = spans.recv_timeout(SOON).expect("a batch");
    let of = |name: &str| spans.iter().filter(|span| span.name == name).collect::<Vec<_>>();
    let server = &spans[0];
    let part = of("prices")[0];
    assert_eq!((server.kind, &part.parent_span_id), (SpanKind::Server as i32, &server.span_id));
    let parents: Vec<_> = spans
        .iter()
        .filter(|span| span.kind == SpanKind::Client as i32)
        .map(|span| (attribute(span, "server.address").expect("an address"), &span.parent_span_id, code(span)))
        .collect();
    assert_eq!(parents, [("a".to_owned(), &server.span_id, ERROR), ("b".to_owned(), &part.span_id, ERROR)]);
    let waited = of("far-away")[0];
    assert_eq!((waited.kind, &waited.parent_span_id), (SpanKind::Internal as i32, &server.span_id));
    assert!(waited.end_time_unix_nano - waited.start_time_unix_nano >= 10_000_000);
    assert!(waited.start_time_unix_nano >= server.start_time_unix_nano);
    assert_eq!(attribute(waited, "gatewright.decision").as_deref(), Some("admitted"));
    assert!(of("at-once").is_empty(), "a policy that decides at once has no span");
}
