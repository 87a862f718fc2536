//! How the router treats the services of its routes.

mod arrival;

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use gatewright_core::{Body, BoxError, Error, ErrorKind, Rejection, RequestRecord, reply::status_meant};
use gatewright_router::{Route, RouterService};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tower::{Service, ServiceExt, service_fn};

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).expect("a request")
}

async fn send(router: &RouterService, request: Request<Body>) -> Response<Body> {
    router.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
}

fn recorded(path: &str) -> (Request<Body>, RequestRecord) {
    let record = RequestRecord::new(None);
    record.with(|summary| summary.request_id = Some(HeaderValue::from_static("id-1")));
    let mut request = get(path);
    request.extensions_mut().insert(record.clone());
    (request, record)
}

/// Panics when it is called without having been polled ready.
#[derive(Debug, Default)]
struct Strict {
    polls: u32,
    ready: bool,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Ready<Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.polls += 1;
        if self.polls < 3 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called while not ready");
        ready(Ok(Response::new(Full::from("strict"))))
    }
}

#[tokio::test]
async fn a_route_is_called_only_once_it_is_ready() {
    let router = RouterService::builder().path("/x", Strict::default()).build().expect("routes");
    for _ in 0..2 {
        let body = send(&router, get("/x")).await.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes(), "strict");
    }
}

#[tokio::test]
async fn the_router_is_ready_while_a_route_is_not() {
    let (slow, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    handle.allow(0);
    let quick = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let router = RouterService::builder().path("/slow", slow).path("/quick", quick).build().expect("routes");

    let mut waiting = pin!(router.clone().oneshot(get("/slow")));
    assert!(poll(waiting.as_mut()).is_pending(), "its route is not ready");
    assert!(handle.poll_request().is_pending(), "nothing is sent to a service that is not ready");
    assert_eq!(send(&router, get("/quick")).await.status(), StatusCode::OK);

    handle.allow(1);
    assert!(poll(waiting.as_mut()).is_pending(), "its response is not there");
    let (_, respond) = handle.next_request().await.expect("the request");
    respond.send_response(Response::new(Body::empty()));
    assert!(poll(waiting.as_mut()).is_ready());
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_failure_becomes_a_response_that_hides_its_cause() {
    let timeout = service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, _>(Error::new(ErrorKind::ResponseTimeout, "10.0.0.7 was slow"))
    });
    let other = service_fn(|_: Request<Body>| async { Err::<Response<Body>, BoxError>("secret".into()) });
    let router =
        RouterService::builder().path("/timeout", timeout).path("/other", other).build().expect("routes");
    for (path, status, kind) in [
        ("/timeout", StatusCode::GATEWAY_TIMEOUT, ErrorKind::ResponseTimeout),
        ("/other", StatusCode::INTERNAL_SERVER_ERROR, ErrorKind::Internal),
    ] {
        let (request, record) = recorded(path);
        let response = send(&router, request).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["x-request-id"], "id-1");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        assert!(!text.contains("10.0.0.7") && !text.contains("secret"), "{text}");
        record.with(|summary| {
            assert_eq!(summary.error, Some(kind));
            assert_eq!(summary.route.as_deref(), Some(path));
        });
    }
}

#[tokio::test]
async fn a_service_that_fails_to_become_ready_is_a_failure_too() {
    #[derive(Clone)]
    struct Broken;
    impl Service<Request<Body>> for Broken {
        type Response = Response<Body>;
        type Error = Error;
        type Future = Ready<Result<Response<Body>, Error>>;
        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Error>> {
            Poll::Ready(Err(Error::new(ErrorKind::Overloaded, "full")))
        }
        fn call(&mut self, _: Request<Body>) -> Self::Future {
            panic!("called though it failed");
        }
    }
    let router = RouterService::builder().path("/x", Broken).build().expect("routes");
    assert_eq!(send(&router, get("/x")).await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_refusal_is_a_problem_document_and_is_recorded() {
    let service = service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let route = Route::path("/x").methods([Method::POST]);
    let router = RouterService::builder().route(route, service).build().expect("routes");
    for (path, status, reason) in [
        ("/nothing", StatusCode::NOT_FOUND, "no_route"),
        ("/x", StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        ("/x%2f", StatusCode::BAD_REQUEST, "path_encoded_slash"),
        ("/x\\", StatusCode::BAD_REQUEST, "path_backslash"),
    ] {
        let (request, record) = recorded(path);
        let response = send(&router, request).await;
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["x-request-id"], "id-1");
        let rejection = response.extensions().get::<Rejection>().expect("the rejection");
        assert_eq!((rejection.policy(), rejection.reason()), ("router", reason));
        record.with(|summary| {
            assert_eq!(summary.rejection.as_ref().map(Rejection::reason), Some(reason));
            assert_eq!(summary.route, None);
        });
    }
}

#[tokio::test]
async fn the_name_of_a_route_is_made_once() {
    let service = service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let route = Route::path_prefix("/x").name("orders");
    let router = RouterService::builder().route(route, service).build().expect("routes");
    let mut names = Vec::new();
    for _ in 0..2 {
        let (request, record) = recorded("/x/1");
        send(&router, request).await;
        names.extend(record.with(|summary| summary.route.clone()));
    }
    assert_eq!(&*names[0], "orders");
    assert_eq!(names[0], names[1]);
}

#[tokio::test]
async fn any_request_body_and_any_response_body_will_do() {
    let echo = service_fn(|request: Request<Full<Bytes>>| async {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    });
    let router: RouterService<Full<Bytes>> = RouterService::builder().path("/", echo).build().expect("routes");
    let request = Request::post("/").body(Full::from("hello")).expect("a request");
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes(), "hello");
}

#[tokio::test]
async fn ten_thousand_routes_of_each_kind_stand_together() {
    let service = service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let builder = (0..10_000).fold(RouterService::builder(), |builder, n| {
        let builder = builder
            .path(format!("/exact/{n}"), service)
            .path_prefix(format!("/prefix/{n}"), service)
            .path(format!("/pattern/{n}/{{id}}"), service)
            .route(Route::path("/").host(format!("h{n}.test")), service);
        if n < 500 { builder.path_regex(format!(r"/regex/{n}/\d+"), service) } else { builder }
    });
    let router = builder.build().expect("routes");
    for path in ["/exact/9999", "/prefix/0/x", "/pattern/5000/x", "/regex/499/12", "http://h77.test/"] {
        assert_eq!(send(&router, get(path)).await.status(), StatusCode::OK, "{path}");
    }
    assert_eq!(send(&router, get("/exact/10000")).await.status(), StatusCode::NOT_FOUND);
}

fn any_method(method: Method, target: &str) -> Request<Body> {
    Request::builder().method(method).uri(target).body(Body::empty()).expect("a request")
}

#[tokio::test]
async fn options_of_the_whole_server_is_answered_with_the_methods_of_its_routes() {
    let ok = || service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let named = |routes: Vec<Route>| {
        let builder =
            routes.into_iter().fold(RouterService::builder(), |router, route| router.route(route, ok()));
        builder.build().expect("a router")
    };
    let purge = Method::from_bytes(b"PURGE").expect("a method");
    for (routes, allow) in [
        (vec![], "OPTIONS"),
        (vec![Route::path("/a").methods([Method::POST])], "OPTIONS, POST"),
        (
            vec![
                Route::path("/a").methods([Method::GET, purge]).host("a.example"),
                Route::path_prefix("/b").methods([Method::POST, Method::GET]),
            ],
            "GET, HEAD, OPTIONS, POST, PURGE",
        ),
        // A route that names no method takes them all.
        (
            vec![Route::path("/a").methods([Method::GET]), Route::path("/b")],
            "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT",
        ),
    ] {
        let router = named(routes);
        let mut request = any_method(Method::OPTIONS, "*");
        let record = RequestRecord::new(None);
        request.extensions_mut().insert(record.clone());
        let response = send(&router, request).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert_eq!(response.headers()["allow"], allow);
        assert!(response.into_body().collect().await.expect("a body").to_bytes().is_empty());
        record.with(|summary| assert!(summary.rejection.is_none() && summary.route.is_none()));
        for (method, target) in [(Method::GET, "*"), (Method::POST, "*")] {
            let response = send(&router, any_method(method, target)).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{target}");
        }
    }
}

#[tokio::test]
async fn a_grpc_client_is_answered_in_grpc() {
    let failing = |kind: ErrorKind| {
        service_fn(move |_: Request<Body>| ready(Err::<Response<Body>, _>(Error::new(kind, "secret"))))
    };
    let router = RouterService::builder()
        .path("/connect", failing(ErrorKind::Connect))
        .path("/overloaded", failing(ErrorKind::Overloaded))
        .path("/timeout", failing(ErrorKind::ResponseTimeout))
        .path("/internal", failing(ErrorKind::Internal))
        .route(Route::path("/get").methods([Method::GET]), failing(ErrorKind::Internal))
        .build()
        .expect("routes");
    for (path, status, code) in [
        ("/connect", 502, "14"),
        ("/overloaded", 503, "14"),
        ("/timeout", 504, "4"),
        ("/internal", 500, "2"),
        ("/missing", 404, "12"),
        ("/get", 405, "2"),
        ("/%00", 400, "13"),
    ] {
        let call = |content_type: &'static str| {
            let (mut request, _) = recorded(path);
            *request.method_mut() = Method::POST;
            request.headers_mut().insert("content-type", HeaderValue::from_static(content_type));
            request
        };
        let response = send(&router, call("application/grpc+proto")).await;
        assert_eq!((response.status(), status_meant(&response).as_u16()), (StatusCode::OK, status), "{path}");
        assert_eq!(response.headers()["grpc-status"], code, "{path}");
        assert_eq!(response.headers()["content-type"], "application/grpc");
        assert_eq!(response.headers()["x-request-id"], "id-1");
        assert_eq!(response.headers().contains_key("allow"), status == 405);
        assert!(http_body::Body::is_end_stream(response.body()), "the head ends it");

        let response = send(&router, call("application/grpc-web+proto")).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers()["content-type"], "application/problem+json");
    }
}

/// The log of this test's thread.
#[derive(Clone, Default)]
struct Said(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Said {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let said = self.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || said.clone()).with_ansi(false).finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().expect("no panic"))).expect("text")
    }
}

async fn never(_: Request<Body>) -> Result<Response<Body>, Infallible> {
    std::future::pending().await
}

#[tokio::test]
async fn what_towers_layers_say_in_a_route_is_504_and_503() {
    let limit = std::time::Duration::from_millis(5);
    let busy = tower::limit::ConcurrencyLimit::new(service_fn(never), 0);
    let router = RouterService::builder()
        .path("/timeout", tower::ServiceBuilder::new().timeout(limit).service_fn(never))
        .path(
            "/wrapped",
            tower::ServiceBuilder::new().map_err(std::io::Error::other).timeout(limit).service_fn(never),
        )
        .path("/buffered", tower::ServiceBuilder::new().buffer(4).timeout(limit).service_fn(never))
        .path("/outside", tower::ServiceBuilder::new().timeout(limit).buffer(4).service_fn(never))
        .path("/shed", tower::ServiceBuilder::new().load_shed().service(busy.clone()))
        .path("/shed-outside", tower::ServiceBuilder::new().timeout(limit).load_shed().service(busy))
        .build()
        .expect("routes");
    let said = Said::default();
    let _listening = said.listen();
    for (path, status, kind) in [
        ("/timeout", 504, ErrorKind::Timeout),
        ("/wrapped", 504, ErrorKind::Timeout),
        ("/buffered", 504, ErrorKind::Timeout),
        ("/outside", 504, ErrorKind::Timeout),
        ("/shed", 503, ErrorKind::LoadShed),
        ("/shed-outside", 503, ErrorKind::LoadShed),
    ] {
        let (request, record) = recorded(path);
        let response = send(&router, request).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(record.with(|known| known.error), Some(kind), "{path}");
    }
    assert_eq!(said.take(), "", "the access log has it");
}

#[derive(Debug)]
struct NoQuote(std::io::Error);

impl std::fmt::Display for NoQuote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cannot read the quote")
    }
}

impl std::error::Error for NoQuote {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test]
async fn the_whole_cause_of_any_other_failure_is_logged() {
    let quotes = service_fn(async |_: Request<Body>| {
        Err::<Response<Body>, _>(NoQuote(std::io::Error::other("no such table")))
    });
    let filtered = tower::ServiceBuilder::new()
        .filter(|_: Request<Body>| Err::<Request<Body>, BoxError>("the moon is full".into()))
        .service_fn(never);
    let (closed, handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    drop(handle);
    let router = RouterService::builder()
        .path("/quotes", quotes)
        .path("/boxed", tower::ServiceBuilder::new().buffer(1).map_err(BoxError::from).service(quotes))
        .path("/filtered", filtered)
        .path("/never-ready", closed)
        .build()
        .expect("routes");
    let said = Said::default();
    let _listening = said.listen();
    for (path, cause) in [
        ("/quotes", "cannot read the quote: no such table"),
        ("/boxed", "cannot read the quote: no such table"),
        ("/filtered", "the moon is full"),
        ("/never-ready", "Closed"),
    ] {
        let (request, record) = recorded(path);
        let response = send(&router, request).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        assert_eq!(record.with(|known| known.error), Some(ErrorKind::Internal));
        let said = said.take();
        assert!(
            said.contains("ERROR") && said.to_lowercase().contains(&cause.to_lowercase()),
            "{path}: {said}"
        );
        assert!(said.contains("id-1") && said.contains(path), "whose it is: {said}");
    }
}

#[tokio::test]
async fn a_program_says_what_its_own_failures_become() {
    let conflict = || Rejection::new(StatusCode::CONFLICT, "orders", "conflict").detail("Somebody was first.");
    let failing = service_fn(async |_: Request<Body>| {
        Err::<Response<Body>, _>(NoQuote(std::io::Error::from(std::io::ErrorKind::NotFound)))
    });
    let timeout = service_fn(async |_: Request<Body>| {
        Err::<Response<Body>, _>(Error::new(ErrorKind::ResponseTimeout, "slow"))
    });
    let router = RouterService::builder()
        // The route says it itself: as its service's error, as that of a layer, and wrapped.
        .path("/service", service_fn(move |_: Request<Body>| ready(Err::<Response<Body>, _>(conflict()))))
        .path("/mapped", tower::ServiceBuilder::new().map_err(move |_: NoQuote| conflict()).service(failing))
        .path(
            "/filtered",
            tower::ServiceBuilder::new()
                .filter(move |_: Request<Body>| Err::<Request<Body>, BoxError>(conflict().into()))
                .service(failing),
        )
        .path(
            "/wrapped",
            tower::ServiceBuilder::new()
                .map_err(std::io::Error::other)
                .map_err(move |_: NoQuote| conflict())
                .service(failing),
        )
        // The router says it for all its routes.
        .path("/judged", failing)
        .path("/left", timeout)
        .on_error(|error| {
            let cause = std::error::Error::source(error)?.downcast_ref::<NoQuote>()?;
            let is_missing = cause.0.kind() == std::io::ErrorKind::NotFound;
            is_missing.then(|| Rejection::new(StatusCode::NOT_FOUND, "quotes", "no_quote"))
        })
        .build()
        .expect("routes");
    let said = Said::default();
    let _listening = said.listen();
    for (path, status, reason) in [
        ("/service", 409, Some("conflict")),
        ("/mapped", 409, Some("conflict")),
        ("/filtered", 409, Some("conflict")),
        ("/wrapped", 409, Some("conflict")),
        ("/judged", 404, Some("no_quote")),
        ("/left", 504, None),
    ] {
        let (request, record) = recorded(path);
        let response = send(&router, request).await;
        assert_eq!(response.status().as_u16(), status, "{path}");
        assert_eq!(response.headers()["x-request-id"], "id-1");
        let noted = record.with(|known| known.rejection.as_ref().map(|refusal| refusal.reason().to_owned()));
        assert_eq!(noted.as_deref(), reason, "{path}");
        assert_eq!(record.with(|known| known.error).is_none(), reason.is_some(), "{path}");
    }
    assert_eq!(said.take(), "", "what a program foresees is no error");
}
