//! What observers are told when a response begins.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use gatewright_core::{Body, Label, LabelKind, Rejection, ReplyFormat, RequestRecord};
use gatewright_trace::{EndedRequest, Observer, StartedResponse, StreamKind, TraceLayer};
use http::{Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn note(&self, text: String) {
        self.0.lock().expect("no panic").push(text);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("no panic"))
    }
}

impl Observer for Told {
    fn request_started(&self) {
        self.note("request".into());
    }

    fn response_started(&self, request: &StartedResponse<'_>) {
        let (route, refused) = (request.route().map(Label::as_str), request.rejection().map(Rejection::reason));
        assert!(request.span().is_some() && request.request_id().is_some());
        let (method, path) = (request.method(), request.path());
        self.note(format!("{method} {path} {} {:?} {route:?} {refused:?}", request.status(), request.stream()));
    }

    fn request_ended(&self, request: &EndedRequest<'_>) {
        self.note(format!("end {:?} {:?}", request.logged_status(), request.stream()));
    }
}

async fn told(method: Method, response: impl Fn() -> Response<Body>) -> Vec<String> {
    let told = Told::default();
    let service = service_fn(|request: Request<Body>| {
        let route = Some(Label::new(LabelKind::Route, "orders"));
        RequestRecord::of(request.extensions()).expect("has one").with(|known| known.route = route);
        std::future::ready(Ok::<_, Infallible>(response()))
    });
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method;
    *request.uri_mut() = "/a?secret".parse().expect("a target");
    let response = TraceLayer::new().observer(told.clone()).layer(service).oneshot(request).await;
    let body = response.expect("is answered").into_body();
    assert!(
        !told.0.lock().expect("no panic").iter().any(|line| line.starts_with("end")),
        "the body is not read"
    );
    body.collect().await.expect("has an end");
    told.take()
}

#[tokio::test]
async fn observers_hear_of_the_head_before_the_end() {
    let lines = told(Method::GET, || Response::new(Body::from("x"))).await;
    assert_eq!(lines, ["request", "GET /a 200 OK None Some(\"orders\") None", "end Some(200) None"]);
}

#[tokio::test]
async fn event_streams_and_tunnels_are_told_apart() {
    let typed = |content_type: &'static str| {
        move || {
            let builder = Response::builder().header(CONTENT_TYPE, content_type);
            builder.body(Body::from("x")).expect("a response")
        }
    };
    for (content_type, stream) in [
        ("text/event-stream", Some(StreamKind::EventStream)),
        ("Text/Event-Stream ; charset=utf-8", Some(StreamKind::EventStream)),
        ("text/event-streams", None),
        ("application/grpc", None),
        ("text/plain", None),
    ] {
        let lines = told(Method::GET, typed(content_type)).await;
        assert_eq!(lines[2], format!("end Some(200) {stream:?}"), "{content_type}");
    }
    let switching = || {
        let builder = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
        builder.body(Body::empty()).expect("a response")
    };
    assert_eq!(told(Method::GET, switching).await[2], "end Some(101) Some(Upgraded)");
    let lines = told(Method::CONNECT, || Response::new(Body::from("x"))).await;
    assert_eq!(lines[2], "end Some(200) Some(Upgraded)");
}

#[tokio::test]
async fn a_refusal_is_known_when_its_response_begins() {
    let refused = || {
        let rejection = Rejection::new(StatusCode::FORBIDDEN, "guard", "denied");
        rejection.into_response(ReplyFormat::Problem, None).map(Body::once)
    };
    let lines = told(Method::GET, refused).await;
    assert_eq!(lines[1], "GET /a 403 Forbidden None Some(\"orders\") Some(\"denied\")");
}

#[tokio::test]
async fn a_failure_has_an_end_and_no_beginning_of_a_response() {
    let told = Told::default();
    let fails = service_fn(|_: Request<Body>| std::future::ready(Err::<Response<Body>, _>("broken")));
    let service = TraceLayer::new().observer(told.clone()).layer(fails);
    assert!(service.oneshot(Request::new(Body::empty())).await.is_err());
    assert_eq!(told.take(), ["request", "end None None"]);
}
