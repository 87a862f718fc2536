//! What a handler records by `tracing` hangs under the gateway's span, with a subscriber of the program's own.
#![cfg(feature = "otel-context")]

use std::convert::Infallible;

use gatewright_core::{RequestRecord, SpanContext};
use gatewright_trace::{OtelContextLayer, TraceLayer};
use http::{Request, Response};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

async fn handle(request: Request<http_body_util::Empty<bytes::Bytes>>) -> Result<Response<String>, Infallible> {
    let parent = request.headers()["traceparent"].to_str().expect("text").to_owned();
    async {
        tokio::task::yield_now().await;
        async { tokio::task::yield_now().await }.instrument(tracing::info_span!("query")).await;
    }
    .instrument(tracing::info_span!("handler"))
    .await;
    Ok(Response::new(parent))
}

/// The spans that handlers of two requests at once have recorded, and the parents that these requests carried.
async fn recorded(flags: &'static str) -> (Vec<SpanData>, Vec<String>) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let subscriber = tracing_subscriber::registry()
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("program")));
    let _guard = tracing::subscriber::set_default(subscriber);
    let service = ServiceBuilder::new()
        .layer(TraceLayer::new())
        .layer(OtelContextLayer::new())
        .service(service_fn(handle));
    let request = |trace: char| {
        let parent = format!("00-{}-00f067aa0ba902b7-{flags}", trace.to_string().repeat(32));
        let request = Request::get("/").header("traceparent", parent).body(http_body_util::Empty::new());
        service.clone().oneshot(request.expect("a request"))
    };
    let (one, other) = tokio::join!(request('a'), request('b'));
    let mut parents = Vec::new();
    for response in [one, other] {
        let body =
            http_body_util::BodyExt::collect(response.expect("answers").into_body()).await.expect("whole");
        parents.push(String::from_utf8(body.to_bytes().to_vec()).expect("text"));
    }
    (exporter.get_finished_spans().expect("spans"), parents)
}

#[tokio::test]
async fn what_handlers_record_hangs_under_the_gateways_span() {
    let (spans, parents) = recorded("01").await;
    assert_eq!(spans.len(), 4);
    for parent in parents {
        let (trace, span) = (&parent[3..35], &parent[36..52]);
        let of_trace: Vec<_> =
            spans.iter().filter(|it| it.span_context.trace_id().to_string() == *trace).collect();
        let named = |name: &str| *of_trace.iter().find(|span| span.name == name).expect("is recorded");
        assert_eq!(of_trace.len(), 2);
        assert_eq!(named("handler").parent_span_id.to_string(), span);
        assert_eq!(named("query").parent_span_id, named("handler").span_context.span_id());
    }
}

#[tokio::test]
async fn what_is_not_recorded_is_not_recorded_by_handlers_either() {
    assert!(recorded("00").await.0.is_empty());
}

#[tokio::test]
async fn without_a_record_nothing_changes_and_nothing_stays_behind() {
    let service = OtelContextLayer::new();
    let current = || {
        let context = opentelemetry::Context::current();
        opentelemetry::trace::TraceContextExt::span(&context).span_context().trace_id()
    };
    let inner = service_fn(|_: Request<()>| async move { Ok::<_, Infallible>(Response::new(current())) });
    let service = tower_layer::Layer::layer(&service, inner);
    let response = service.clone().oneshot(Request::new(())).await.expect("answers");
    assert_eq!(response.into_body(), opentelemetry::trace::TraceId::INVALID);
    let record = RequestRecord::new(None);
    record.with(|known| known.span = Some(SpanContext::new(7, 8, None, SpanContext::SAMPLED)));
    let mut request = Request::new(());
    request.extensions_mut().insert(record);
    let response = service.oneshot(request).await.expect("answers");
    assert_eq!(response.into_body(), opentelemetry::trace::TraceId::from(7_u128));
    assert_eq!(current(), opentelemetry::trace::TraceId::INVALID, "the context goes with the request");
}
