//! What the metrics say of requests.

use std::{
    convert::Infallible,
    future,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use gatewright_core::{Body, BoxError, ErrorKind, Label, LabelKind, Rejection, ReplyFormat, RequestRecord};
use gatewright_trace::{Metrics, Observer, RefusedRequest, TraceLayer, Trust};
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use tower::{Layer, Service, ServiceExt, service_fn};

const OPEN_METRICS: &str = "application/openmetrics-text";

/// What a service does with a request to it.
type Answer = Box<dyn Fn(&RequestRecord) -> Response<Body>>;

fn label(kind: LabelKind, name: &str) -> Option<Label> {
    Some(Label::new(kind, name))
}

async fn send(metrics: &Metrics, request: Request<Body>, answer: Answer) -> Response<Body> {
    let service = service_fn(|request: Request<Body>| {
        future::ready(Ok::<_, Infallible>(answer(RequestRecord::of(request.extensions()).expect("has one"))))
    });
    let layer = TraceLayer::new().observer(metrics.clone()).trust_traces(Trust::Anyone);
    let (head, body) = layer.layer(service).oneshot(request).await.expect("never fails").into_parts();
    let body = body.collect().await.expect("has an end").to_bytes();
    Response::from_parts(head, Body::once(body))
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("a request")
}

fn on_route(route: &'static str, upstream: &'static str) -> impl Fn(&RequestRecord) {
    move |record| {
        record.with(|known| {
            known.route = label(LabelKind::Route, route);
            known.upstream = label(LabelKind::Upstream, upstream);
            known.upstream_time = Some(Duration::from_millis(20));
        });
    }
}

/// The lines of a family, without its comments.
fn lines(text: &str, start: &str) -> Vec<String> {
    text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

#[tokio::test]
async fn requests_are_counted_by_route_method_and_status() {
    let metrics = Metrics::new();
    for _ in 0..3 {
        let known = on_route("orders", "orders-a");
        let answer = move |record: &RequestRecord| {
            known(record);
            Response::new(Body::from("four"))
        };
        send(&metrics, get("/orders"), Box::new(answer)).await;
    }
    let mut brew = get("/nowhere");
    *brew.method_mut() = Method::from_bytes(b"BREW").expect("a method");
    let not_found = |_: &RequestRecord| {
        let rejection = Rejection::new(StatusCode::NOT_FOUND, "router", "no_route");
        rejection.into_response(ReplyFormat::Problem, None).map(Body::once)
    };
    send(&metrics, brew, Box::new(not_found)).await;
    let text = metrics.exposition(None);
    assert_eq!(text.content_type, "text/plain; version=0.0.4; charset=utf-8");
    let text = text.body;
    assert_eq!(
        lines(&text, "gatewright_requests_total"),
        [
            "gatewright_requests_total{route=\"\",method=\"_OTHER\",status=\"404\"} 1",
            "gatewright_requests_total{route=\"orders\",method=\"GET\",status=\"200\"} 3",
        ]
    );
    assert_eq!(
        lines(&text, "gatewright_rejections_total"),
        ["gatewright_rejections_total{route=\"\",policy=\"router\",reason=\"no_route\"} 1"]
    );
    assert_eq!(
        lines(&text, "gatewright_response_bytes_total{route=\"orders\"}"),
        ["gatewright_response_bytes_total{route=\"orders\"} 12"]
    );
    let upstream = lines(&text, "gatewright_upstream_seconds");
    assert!(
        upstream.contains(&"gatewright_upstream_seconds_bucket{upstream=\"orders-a\",le=\"0.01\"} 0".into())
    );
    assert!(
        upstream.contains(&"gatewright_upstream_seconds_bucket{upstream=\"orders-a\",le=\"0.025\"} 3".into())
    );
    assert!(upstream.contains(&"gatewright_upstream_seconds_sum{upstream=\"orders-a\"} 0.06".into()));
    assert!(text.contains("\ngatewright_request_seconds_count{route=\"orders\"} 3\n"));
    // The upstream's 20 ms, which did not really pass, are no part of the gateway's share.
    assert!(text.contains("\ngatewright_own_seconds_sum{route=\"orders\"} 0\n"), "{text}");
    assert_eq!(lines(&text, "gatewright_in_flight"), ["gatewright_in_flight 0"]);
    assert!(!text.contains("gatewright_stream"), "what nothing was counted in is left out");
}

#[tokio::test]
async fn a_client_that_leaves_is_a_499_and_never_a_5xx() {
    let metrics = Metrics::new();
    let forever = service_fn(|request: Request<Body>| {
        RequestRecord::of(request.extensions()).expect("has one").with(|known| {
            known.route = label(LabelKind::Route, "slow");
        });
        future::pending::<Result<Response<Body>, BoxError>>()
    });
    let mut service = TraceLayer::new().observer(metrics.clone()).layer(forever);
    let waiting = service.call(get("/slow"));
    assert_eq!(lines(&metrics.exposition(None).body, "gatewright_in_flight"), ["gatewright_in_flight 1"]);
    drop(waiting);
    let text = metrics.exposition(None).body;
    assert_eq!(
        lines(&text, "gatewright_requests_total"),
        ["gatewright_requests_total{route=\"slow\",method=\"GET\",status=\"499\"} 1"]
    );
    assert_eq!(
        lines(&text, "gatewright_failures_total"),
        ["gatewright_failures_total{route=\"slow\",by=\"client\",reason=\"gone\"} 1"]
    );
    assert_eq!(lines(&text, "gatewright_in_flight"), ["gatewright_in_flight 0"]);
}

#[tokio::test]
async fn a_failure_is_told_from_a_refusal() {
    let metrics = Metrics::new();
    let failed = |record: &RequestRecord| {
        record.with(|known| known.error = Some(ErrorKind::Connect));
        Response::builder().status(502).body(Body::empty()).expect("a response")
    };
    send(&metrics, get("/"), Box::new(failed)).await;
    let on_trial = |record: &RequestRecord| {
        let rejection = Rejection::new(StatusCode::TOO_MANY_REQUESTS, "rate-limit", "over_limit");
        record.with(|known| known.would_reject = Some(rejection));
        Response::new(Body::empty())
    };
    send(&metrics, get("/"), Box::new(on_trial)).await;
    let text = metrics.exposition(None).body;
    assert!(
        text.contains("\ngatewright_failures_total{route=\"\",by=\"error\",reason=\"connect\"} 1\n"),
        "{text}"
    );
    let trial = "\ngatewright_would_reject_total{route=\"\",policy=\"rate-limit\",reason=\"over_limit\"} 1\n";
    assert!(text.contains(trial), "{text}");
    assert!(!text.contains("gatewright_rejections_total"));
}

#[tokio::test]
async fn what_no_layer_has_seen_is_counted_too() {
    let metrics = Metrics::new();
    let client = IpAddr::from(Ipv4Addr::LOCALHOST);
    let refused = RefusedRequest::new(client, StatusCode::BAD_REQUEST, "http", "bare_lf").method(Some("GET"));
    metrics.request_refused(&refused);
    let unread = RefusedRequest::new(client, StatusCode::REQUEST_TIMEOUT, "http", "slow_head");
    metrics.request_refused(&unread);
    let text = metrics.exposition(None).body;
    assert_eq!(
        lines(&text, "gatewright_requests_total"),
        [
            "gatewright_requests_total{route=\"\",method=\"GET\",status=\"400\"} 1",
            "gatewright_requests_total{route=\"\",method=\"_OTHER\",status=\"408\"} 1",
        ]
    );
    assert!(
        text.contains("\ngatewright_rejections_total{route=\"\",policy=\"http\",reason=\"slow_head\"} 1\n")
    );
    assert!(text.contains("\ngatewright_in_flight 0\n"), "such a request never began");
}

#[tokio::test]
async fn a_stream_is_open_until_it_ends_and_only_its_head_counts_as_latency() {
    let metrics = Metrics::new();
    let (frames, body) = http_body_util::channel::Channel::<bytes::Bytes, Infallible>::new(4);
    let mut body = Some(body);
    let service = service_fn(move |request: Request<Body>| {
        on_route("events", "feed")(RequestRecord::of(request.extensions()).expect("has one"));
        let response = Response::builder().header(CONTENT_TYPE, "text/event-stream");
        future::ready(response.body(body.take().expect("one request")))
    });
    let layer = TraceLayer::new().observer(metrics.clone());
    let response = layer.layer(service).oneshot(get("/events")).await.expect("is answered");
    let text = metrics.exposition(None).body;
    assert!(text.contains("\ngatewright_streams_open{route=\"events\",kind=\"event_stream\"} 1\n"), "{text}");
    assert!(
        text.contains("\ngatewright_request_seconds_count{route=\"events\"} 1\n"),
        "the head's time: {text}"
    );
    assert!(text.contains("\ngatewright_in_flight 1\n"));
    assert!(!text.contains("gatewright_stream_seconds"));
    drop(frames);
    response.into_body().collect().await.expect("has an end");
    let text = metrics.exposition(None).body;
    assert!(text.contains("\ngatewright_streams_open{route=\"events\",kind=\"event_stream\"} 0\n"), "{text}");
    assert!(text.contains("\ngatewright_stream_seconds_count{route=\"events\",kind=\"event_stream\"} 1\n"));
    assert!(text.contains("\ngatewright_request_seconds_count{route=\"events\"} 1\n"), "counted once: {text}");
}

#[tokio::test]
async fn sampled_requests_are_exemplars_in_open_metrics_alone() {
    let metrics = Metrics::new();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    for (flags, shown) in [("00", false), ("01", true)] {
        let mut request = get("/");
        let parent = format!("00-{trace}-00f067aa0ba902b7-{flags}");
        request.headers_mut().insert("traceparent", parent.parse().expect("a value"));
        send(&metrics, request, Box::new(|_| Response::new(Body::empty()))).await;
        let text = metrics.exposition(Some(OPEN_METRICS)).body;
        assert_eq!(text.contains(&format!("# {{trace_id=\"{trace}\",span_id=\"")), shown, "{text}");
        assert!(!metrics.exposition(None).body.contains("trace_id"));
    }
}

#[tokio::test]
async fn names_that_could_break_a_line_are_escaped() {
    let metrics = Metrics::new();
    let hostile = "a\"} 1\nevil{x=\"\\";
    let answer = move |record: &RequestRecord| {
        record.with(|known| known.route = label(LabelKind::Route, hostile));
        Response::new(Body::empty())
    };
    send(&metrics, get("/"), Box::new(answer)).await;
    let text = metrics.exposition(None).body;
    assert!(!text.lines().any(|line| line.starts_with("evil")), "{text}");
    assert!(
        text.contains("\ngatewright_requests_total{route=\"a\\\"} 1\\nevil{x=\\\"\\\\\",method=\"GET\""),
        "{text}"
    );
}

#[tokio::test]
async fn labels_beyond_the_bound_are_counted_together() {
    let metrics = Metrics::builder().max_labels(0).build();
    for route in ["first", "second"] {
        let known = on_route(route, "orders-b");
        let answer = move |record: &RequestRecord| {
            known(record);
            Response::new(Body::empty())
        };
        send(&metrics, get("/"), Box::new(answer)).await;
    }
    let text = metrics.exposition(None).body;
    assert!(
        text.contains("\ngatewright_requests_total{route=\"_other\",method=\"GET\",status=\"200\"} 2\n"),
        "{text}"
    );
    assert!(text.contains("\ngatewright_upstream_seconds_count{upstream=\"_other\"} 2\n"));
    let overflow = lines(&text, "gatewright_metrics_overflow_total");
    // Each request is looked up at its head and at its end, and its upstream once.
    assert_eq!(overflow, ["gatewright_metrics_overflow_total 6"]);
}

#[tokio::test]
async fn statuses_without_end_are_counted_together() {
    let metrics = Metrics::new();
    for status in 200..300 {
        let answer = move |_: &RequestRecord| {
            Response::builder().status(status).body(Body::empty()).expect("a response")
        };
        send(&metrics, get("/"), Box::new(answer)).await;
    }
    let text = metrics.exposition(None).body;
    assert_eq!(lines(&text, "gatewright_requests_total").len(), 65);
    assert!(
        text.contains("\ngatewright_requests_total{route=\"\",method=\"_other\",status=\"_other\"} 36\n"),
        "{text}"
    );
    assert!(text.contains("\ngatewright_metrics_overflow_total 36\n"));
}

#[tokio::test]
async fn every_thread_counts_and_all_are_added_up() {
    let metrics = Metrics::new();
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
                for _ in 0..50 {
                    let known = on_route("shared", "shared");
                    let answer = move |record: &RequestRecord| {
                        known(record);
                        Response::new(Body::empty())
                    };
                    runtime.block_on(send(&metrics, get("/"), Box::new(answer)));
                }
            });
        }
    });
    let text = metrics.exposition(None).body;
    assert!(
        text.contains("\ngatewright_requests_total{route=\"shared\",method=\"GET\",status=\"200\"} 300\n"),
        "{text}"
    );
    assert!(text.contains("\ngatewright_request_seconds_count{route=\"shared\"} 300\n"));
}

#[test]
fn a_source_takes_the_place_of_the_one_before_and_can_be_removed() {
    let metrics = Metrics::new();
    for value in [1.0, 2.0] {
        metrics.source("queue", move |samples| samples.gauge("waiting", "Waits.", &[("queue", "a")], value));
    }
    assert_eq!(lines(&metrics.exposition(None).body, "waiting"), ["waiting{queue=\"a\"} 2"]);
    metrics.remove_source("queue");
    assert!(lines(&metrics.exposition(None).body, "waiting").is_empty());
}

#[test]
fn a_snapshot_can_be_walked() {
    let metrics = Metrics::new();
    metrics.source("queue", |samples| samples.counter("seen_total", "Seen.", &[("queue", "a")], 7));
    let snapshot = metrics.snapshot();
    let (.., kind, mut samples) =
        snapshot.families().find(|(name, ..)| *name == "seen_total").expect("is there");
    let sample = samples.next().expect("has one");
    assert_eq!(
        format!("{kind:?} {:?} {:?}", sample.labels().collect::<Vec<_>>(), sample.number()),
        "Counter [(\"queue\", \"a\")] Some(7.0)"
    );
}
