//! What a request gets and leaves behind, seen from outside the layer.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

mod endings;
mod fields;
mod observers;

use std::{
    collections::VecDeque,
    future::{Ready, ready},
    io::{self, Write},
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use gatewright_core::{
    Body, BoxError, ClientInfoLayer, ConnectionInfo, Error, ErrorKind, Label, LabelKind, Principal, Rejection,
    ReplyFormat, RequestRecord, problem,
};
use gatewright_trace::{AccessLog, TraceBody, TraceLayer, Trust};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::{Layer, Service, ServiceExt, service_fn};

/// A log in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Log(Memory, AccessLog);

impl Log {
    fn start() -> Self {
        let memory = Memory::default();
        let log = AccessLog::builder().writer(memory.clone()).unwrap();
        Self(memory, log)
    }

    fn layer(&self) -> TraceLayer {
        TraceLayer::new().access_log(self.1.clone())
    }

    fn text(&self) -> String {
        assert!(self.1.flush());
        String::from_utf8(self.0.0.lock().unwrap().clone()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[track_caller]
    fn line(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "one request, one line");
        lines.remove(0)
    }
}

/// Gives these frames, then ends, fails, or never does either.
struct Frames(VecDeque<Frame<Bytes>>, Option<ErrorKind>, bool);

impl Frames {
    fn of(frames: impl IntoIterator<Item = &'static str>) -> Self {
        Self(frames.into_iter().map(|data| Frame::data(data.into())).collect(), None, false)
    }

    fn then_fails(mut self, kind: ErrorKind) -> Self {
        self.1 = Some(kind);
        self
    }

    fn then_hangs(mut self) -> Self {
        self.2 = true;
        self
    }
}

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Some(frame) = self.0.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match self.1.take() {
            Some(kind) => Poll::Ready(Some(Err(Error::new(kind, "on purpose")))),
            None if self.2 => Poll::Pending,
            None => Poll::Ready(None),
        }
    }
}

fn request(target: &str) -> Request<Body> {
    Request::builder().uri(target).header("host", "api.example.com").body(Body::empty()).unwrap()
}

fn from_peer(mut request: Request<Body>, peer: &str) -> Request<Body> {
    let peer: SocketAddr = peer.parse().unwrap();
    let connection = ConnectionInfo::new(peer, peer);
    request.extensions_mut().insert(RequestRecord::new(Some(Arc::new(connection))));
    request
}

async fn send<S, B>(log: &Log, request: Request<Body>, inner: S) -> Response<TraceBody<B>>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Error: std::fmt::Debug + 'static,
    B: http_body::Body,
    B::Error: 'static,
{
    log.layer().layer(inner).oneshot(request).await.unwrap()
}

/// Answers with the ids that the request carries on, one a line.
async fn echo_ids(request: Request<Body>) -> Result<Response<Body>, BoxError> {
    let text = |name: &str| request.headers().get(name).map_or("-", |value| value.to_str().unwrap()).to_owned();
    let ids = [text("x-request-id"), text("traceparent"), text("tracestate")];
    Ok(Response::new(Body::from(ids.join("\n"))))
}

#[tokio::test]
async fn the_same_id_goes_upstream_into_the_response_and_into_the_log() {
    let log = Log::start();
    let response = send(&log, request("/"), service_fn(echo_ids)).await;
    let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let carried: Vec<_> = std::str::from_utf8(&body).unwrap().lines().collect();
    assert_eq!(carried[0], id);
    let line = log.line();
    assert_eq!(line["request_id"], *id);
    assert_eq!(line["trace_id"], carried[1][3..35]);
}

#[tokio::test]
async fn an_upstreams_own_request_id_does_not_stand_in_for_ours() {
    let log = Log::start();
    let inner = service_fn(|_| async {
        let mut response = Response::new(Body::empty());
        response.headers_mut().append("x-request-id", HeaderValue::from_static("theirs"));
        response.headers_mut().append("x-request-id", HeaderValue::from_static("theirs-too"));
        Ok::<_, BoxError>(response)
    });
    let response = send(&log, request("/"), inner).await;
    let ids: Vec<_> = response.headers().get_all("x-request-id").iter().collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(ids[0].len(), 32);
}

#[tokio::test]
async fn headers_are_believed_of_those_who_are_trusted() {
    const ID: &str = "their-id";
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let proxy = "10.0.0.1:1";
    let stranger = "192.0.2.1:1";
    // layer, peer, keeps the id, continues the trace
    let cases = [
        (TraceLayer::new(), proxy, true, true),
        (TraceLayer::new(), stranger, false, true),
        (TraceLayer::new().trust_request_ids(Trust::Anyone), stranger, true, true),
        (TraceLayer::new().trust_request_ids(Trust::Nobody), proxy, false, true),
        (TraceLayer::new().trust_traces(Trust::Proxies), proxy, true, true),
        (TraceLayer::new().trust_traces(Trust::Proxies), stranger, false, false),
        (TraceLayer::new().trust_traces(Trust::Nobody), proxy, true, false),
    ];
    for (layer, peer, keeps, continues) in cases {
        let mut request = from_peer(request("/"), peer);
        let headers = request.headers_mut();
        headers.insert("x-request-id", HeaderValue::from_static(ID));
        let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
        headers.insert("traceparent", traceparent.parse().unwrap());
        headers.insert("tracestate", HeaderValue::from_static("vendor=1"));
        let client_info = ClientInfoLayer::new().trust("10.0.0.0/8".parse().unwrap());
        let service = client_info.layer(layer.clone().layer(service_fn(echo_ids)));
        let body = service.oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        let carried: Vec<_> = std::str::from_utf8(&body).unwrap().lines().collect();
        assert_eq!(carried[0] == ID, keeps, "{layer:?} from {peer}");
        assert_eq!(carried[1].contains(TRACE), continues, "{layer:?} from {peer}");
        assert_eq!(carried[2] == "vendor=1", continues, "{layer:?} from {peer}");
    }
}

#[tokio::test]
async fn a_line_holds_what_the_layers_inside_have_found_out() {
    let log = Log::start();
    let mut request = from_peer(request("/v1/orders/7?api_key=secret"), "192.0.2.9:4711");
    *request.method_mut() = Method::POST;
    request.headers_mut().insert("authorization", HeaderValue::from_static("Bearer secret"));
    request.headers_mut().insert("cookie", HeaderValue::from_static("session=secret"));
    let inner = service_fn(|request: Request<Body>| async move {
        let record = RequestRecord::of(request.extensions()).unwrap();
        record.add_bytes_in(12);
        record.with(|known| {
            known.route = Some(Label::new(LabelKind::Route, "orders"));
            known.upstream = Some(Label::new(LabelKind::Upstream, "orders"));
            known.endpoint = Some(Label::new(LabelKind::Endpoint, "10.0.1.4:8080"));
            known.upstream_time = Some(Duration::from_micros(1500));
            known.principal = Some(Principal::builder("u1", "jwt").build());
        });
        Ok::<_, BoxError>(Response::builder().status(201).body(Frames::of(["one", "three"])).unwrap())
    });
    let response = send(&log, request, inner).await;
    drop(response.into_body().collect().await.unwrap());
    assert!(!log.text().contains("secret"));
    let mut line = log.line();
    let mut take = |name: &str| line.as_object_mut().unwrap().remove(name).unwrap_or(Value::Null);
    assert_eq!(take("ts").as_str().unwrap().len(), 24);
    assert_eq!(take("request_id").as_str().unwrap().len(), 32);
    assert_eq!(take("trace_id").as_str().unwrap().len(), 32);
    assert_eq!(take("span_id").as_str().unwrap().len(), 16);
    assert!(take("duration_ms").as_f64().unwrap() >= 0.0);
    let expected = serde_json::json!({
        "client": "192.0.2.9", "method": "POST", "host": "api.example.com", "path": "/v1/orders/7",
        "route": "orders", "upstream": "orders", "endpoint": "10.0.1.4:8080", "status": 201,
        "bytes_in": 12, "bytes_out": 8, "upstream_ms": 1.5, "principal": "u1",
    });
    assert_eq!(line, expected);
}

#[tokio::test]
async fn nothing_that_a_client_writes_breaks_a_line_or_leaks_a_secret() {
    let log = Log::start();
    let hosts: &[&[u8]] = &[
        b"a\"b",
        b"user:secret@api.example.com",
        b"\xff\xfe",
        "h\u{9b}31m\u{2028}".as_bytes(),
        b"\xc2\x9b",
        b"a\tb",
    ];
    let targets = [
        "/\\\"%0a%0d{}",
        "/p?token=secret",
        "http://user:secret@other.example.com/p?x=secret#secret",
        "/\u{85}\u{9b}31m\u{2028}end",
        "*",
    ];
    let mut sent = 0;
    for target in targets {
        for host in hosts {
            let Ok(uri) = target.parse::<http::Uri>() else { continue };
            let mut request = Request::new(Body::empty());
            *request.uri_mut() = uri;
            request.headers_mut().insert("host", HeaderValue::from_bytes(host).unwrap());
            request.headers_mut().insert("x-request-id", HeaderValue::from_static("secret \" id"));
            drop(send(&log, request, service_fn(echo_ids)).await.into_body().collect().await.unwrap());
            sent += 1;
        }
    }
    assert!(sent >= 24, "most targets are valid to the http crate");
    let text = log.text();
    let is_raw_control = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{2028}' | '\u{2029}');
    assert!(!text.contains(is_raw_control), "{text:?}");
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(log.lines().len(), sent);
}

#[tokio::test]
async fn trailers_and_the_length_of_a_body_pass_through() {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let inner = {
        let trailers = trailers.clone();
        service_fn(move |_| {
            let mut frames = Frames::of(["one"]);
            frames.0.push_back(Frame::trailers(trailers.clone()));
            ready(Ok::<_, BoxError>(Response::new(frames)))
        })
    };
    let log = Log::start();
    let collected = send(&log, request("/"), inner).await.into_body().collect().await.unwrap();
    assert_eq!(collected.trailers(), Some(&trailers));
    assert_eq!(log.line()["bytes_out"], 3);
    let inner = service_fn(|_| async { Ok::<_, BoxError>(Response::new(Body::once("four"))) });
    assert_eq!(send(&log, request("/"), inner).await.body().size_hint().exact(), Some(4));
}

#[tokio::test]
async fn readiness_is_the_inner_services() {
    let (mut service, mut handle) =
        tower_test::mock::spawn_layer::<Request<Body>, Response<Body>, _>(TraceLayer::new());
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    handle.send_error("on purpose");
    assert!(matches!(service.poll_ready(), Poll::Ready(Err(_))));
}

/// Panics when it is called without having been polled ready, and its clones have not been.
#[derive(Debug, Default)]
struct Strict {
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Ready<Result<Response<Body>, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called while not ready");
        ready(Ok(Response::new(Body::empty())))
    }
}

#[tokio::test]
async fn the_service_that_was_polled_is_the_one_that_is_called() {
    let mut service = TraceLayer::new().layer(Strict::default());
    for _ in 0..2 {
        service.ready().await.unwrap().call(request("/")).await.unwrap();
    }
    service.clone().ready().await.unwrap().call(request("/")).await.unwrap();
}

#[tokio::test]
async fn the_log_shows_the_status_that_a_grpc_answer_means() {
    for (kind, status, rejection) in [(None, 401, "test:no_key"), (Some(ErrorKind::ResponseTimeout), 504, "-")]
    {
        let log = Log::start();
        let mut call = request("/test.Peer/Unary");
        *call.method_mut() = Method::POST;
        call.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        let inner = service_fn(move |request: Request<Body>| {
            let (head, _) = request.into_parts();
            let response = match kind {
                None => Rejection::new(StatusCode::UNAUTHORIZED, "test", "no_key").answer(&head),
                Some(kind) => problem::from_error(&Error::new(kind, "slow"), ReplyFormat::of(&head), None),
            };
            ready(Ok::<_, BoxError>(response.map(Body::once)))
        });
        let response = send(&log, call, inner).await;
        assert_eq!((response.status(), response.headers()["x-request-id"].len()), (StatusCode::OK, 32));
        drop(response);
        let line = log.line();
        assert_eq!(line["status"], status);
        assert_eq!(line["rejection"].as_str().unwrap_or("-"), rejection);
    }
}
