use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, StatusCode, request, response};
use http_body_util::BodyExt;
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::{Body, BoxError};

/// Grants what the request's `x-decide` header says; `later` waits for a turn of the executor.
struct Scripted;

impl Policy for Scripted {
    type Grant = &'static str;
    type Future = Pin<Box<dyn Future<Output = Result<&'static str, Rejection>> + Send>>;

    fn name(&self) -> &'static str {
        "scripted"
    }

    fn decide(&self, request: &mut request::Parts) -> Decision<Self::Grant, Self::Future> {
        let refusal = || Rejection::new(StatusCode::FORBIDDEN, "scripted", "told_to").detail("No.");
        match request.headers["x-decide"].to_str() {
            Ok("allow") => Decision::Allow("at once"),
            Ok("refuse") => Decision::Refuse(refusal()),
            Ok("later") => Decision::Later(Box::pin(async {
                tokio::task::yield_now().await;
                Ok("after a while")
            })),
            Ok("refuse-later") => Decision::Later(Box::pin(async move {
                tokio::task::yield_now().await;
                Err(refusal())
            })),
            _ => Decision::Answer(Response::new("answered".into())),
        }
    }

    fn granted(&self, grant: &mut &'static str, request: &mut request::Parts) {
        request.headers.insert("x-granted", HeaderValue::from_static(grant));
    }

    fn respond(&self, grant: &'static str, response: &mut response::Parts) {
        response.headers.insert("x-grant", HeaderValue::from_static(grant));
    }
}

/// Answers with the request's `x-granted`, and panics when it is called without having been polled ready.
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

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called while not ready");
        let granted = request.headers()["x-granted"].to_str().map(str::to_owned);
        ready(Ok(Response::new(Body::from(granted.unwrap_or_default()))))
    }
}

async fn send(decide: &'static str) -> (Response<()>, bytes::Bytes) {
    let mut service = PolicyLayer::new(Some(Scripted)).layer(Strict::default());
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert("x-decide", HeaderValue::from_static(decide));
    std::future::poll_fn(|cx| service.poll_ready(cx)).await.expect("is ready");
    let (head, body) = service.call(request).await.expect("answers").into_parts();
    (Response::from_parts(head, ()), body.collect().await.expect("a body").to_bytes())
}

#[tokio::test]
async fn an_admitted_request_goes_on_and_its_grant_meets_the_response() {
    for (decide, grant) in [("allow", "at once"), ("later", "after a while")] {
        let (response, body) = send(decide).await;
        assert_eq!(body, grant);
        assert_eq!(response.headers()["x-grant"], grant);
    }
}

#[tokio::test]
async fn a_refusal_is_a_problem_document_and_rides_in_the_extensions() {
    for decide in ["refuse", "refuse-later"] {
        let (response, body) = send(decide).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let rejection = response.extensions().get::<Rejection>().expect("the rejection");
        assert_eq!((rejection.policy(), rejection.reason()), ("scripted", "told_to"));
        assert!(String::from_utf8_lossy(&body).contains("No."));
    }
}

#[tokio::test]
async fn an_answer_stands_in_for_the_service() {
    assert_eq!(send("answer").await.1, "answered");
}

#[tokio::test]
async fn readiness_is_the_inner_services() {
    let (mut service, mut handle) =
        tower_test::mock::spawn_layer::<Request<Body>, Response<Body>, _>(PolicyLayer::new(Scripted));
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
}

#[tokio::test]
async fn a_function_decides_and_the_service_inside_is_reached() {
    let decide = |request: &mut request::Parts| match request.method.is_safe() {
        true => Ok(()),
        false => Err(Rejection::new(StatusCode::FORBIDDEN, "no-uploads", "unsafe_method")),
    };
    let policy = policy_fn("no-uploads", decide);
    assert_eq!((policy.name(), format!("{policy:?}")), ("no-uploads", "PolicyFn(\"no-uploads\")".to_owned()));
    let service = tower::service_fn(async |_: Request<Body>| Ok::<_, BoxError>(Response::new(Body::empty())));
    let mut service = PolicyLayer::new(policy).layer(service);
    for (method, status, reason) in [("GET", 200, None), ("PUT", 403, Some("unsafe_method"))] {
        let request = Request::builder().method(method).body(Body::empty()).expect("a request");
        let response = service.call(request).await.expect("an answer");
        assert_eq!(response.status(), status);
        assert_eq!(response.extensions().get::<Rejection>().map(Rejection::reason), reason);
    }
    for method in ["GET", "PUT"] {
        let request = || Request::builder().method(method).body(Body::empty()).expect("a request");
        assert_eq!(service.get_mut().call(request()).await.expect("an answer").status(), 200);
        assert_eq!(service.get_ref().clone().call(request()).await.expect("an answer").status(), 200);
    }
    let mut inner = service.into_inner();
    assert_eq!(
        inner
            .call(Request::put("/").body(Body::empty()).expect("a request"))
            .await
            .expect("an answer")
            .status(),
        200
    );
}
