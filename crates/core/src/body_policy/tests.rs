use std::{
    collections::VecDeque,
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, request};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt;
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::{Body, BoxError, Decision, Error, ErrorKind, RequestRecord};

/// Looks at bodies as it is told, and refuses those with `no` in them; `later` decides after a turn of the executor.
struct Scripted(Look);

impl BodyPolicy for Scripted {
    type Grant = HeaderValue;
    type Future = Pin<Box<dyn Future<Output = Result<HeaderValue, Rejection>> + Send>>;

    fn name(&self) -> &'static str {
        "scripted"
    }

    fn look(&self, _: &request::Parts) -> Look {
        self.0
    }

    fn decide(&self, request: &mut request::Parts, body: &BufferedBody) -> Decision<Self::Grant, Self::Future> {
        let grant = HeaderValue::from(body.data().len());
        let refusal = || Rejection::new(StatusCode::FORBIDDEN, "scripted", "no");
        let is_refused = body.data().windows(2).any(|two| two == b"no");
        match (request.uri.path(), is_refused) {
            ("/later", true) => Decision::Later(Box::pin(async move {
                tokio::task::yield_now().await;
                Err(refusal())
            })),
            ("/later", false) => Decision::Later(Box::pin(async {
                tokio::task::yield_now().await;
                Ok(grant)
            })),
            (_, true) => Decision::Refuse(refusal()),
            (_, false) => Decision::Allow(grant),
        }
    }

    fn respond(&self, grant: HeaderValue, response: &mut http::response::Parts) {
        response.headers.insert("x-looked-at", grant);
    }
}

/// A body that comes in these pieces, and waits before each; `!` breaks it off, `+` is trailers.
struct Pieces(VecDeque<&'static str>, bool);

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.1 = !self.1;
        if self.1 {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.0.pop_front().map(|piece| match piece {
            "!" => Err("broken off".into()),
            "+" => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-sum", HeaderValue::from_static("1"));
                Ok(Frame::trailers(trailers))
            }
            piece => Ok(Frame::data(piece.into())),
        }))
    }
}

fn pieces(of: &[&'static str]) -> Pieces {
    Pieces(of.iter().copied().collect(), false)
}

/// Gives the body back, and its trailers as a header. A body that fails is its failure.
async fn echo<B>(request: Request<RequestBody<B>>) -> Result<Response<Body>, Error>
where
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>>,
{
    let collected = request.into_body().collect().await?;
    let trailers = collected.trailers().is_some();
    let mut response = Response::new(Body::from(collected.to_bytes()));
    response.headers_mut().insert("x-trailers", HeaderValue::from_static(if trailers { "yes" } else { "no" }));
    Ok(response)
}

struct Seen {
    outcome: Result<u16, ErrorKind>,
    body: Bytes,
    looked_at: Option<String>,
    trailers: Option<String>,
    reason: Option<String>,
}

async fn send(look: Look, budget: &BufferBudget, path: &'static str, body: &[&'static str]) -> Seen {
    let mut service =
        BodyPolicyLayer::with_budget(Scripted(look), budget.clone()).layer(tower::service_fn(echo));
    let record = RequestRecord::new(None);
    let mut request = Request::post(path).body(pieces(body)).expect("a request");
    request.extensions_mut().insert(record.clone());
    let outcome = service.call(request).await;
    let reason = record.with(|known| {
        let refusal = known.rejection.as_ref().map(|refusal| refusal.reason().to_owned());
        refusal.or(known.error.map(|kind| kind.as_str().to_owned()))
    });
    match outcome {
        Ok(response) => {
            let text = |name: &str| Some(response.headers().get(name)?.to_str().expect("text").to_owned());
            let (looked_at, trailers) = (text("x-looked-at"), text("x-trailers"));
            let outcome = Ok(response.status().as_u16());
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            Seen { outcome, body, looked_at, trailers, reason }
        }
        Err(error) => {
            let reason = error.rejection().map(|refusal| refusal.reason().to_owned());
            let outcome = Err(error.kind());
            Seen { outcome, body: Bytes::new(), looked_at: None, trailers: None, reason }
        }
    }
}

#[tokio::test]
async fn the_same_bytes_and_trailers_go_on_however_they_are_looked_at() {
    let budget = BufferBudget::new(100);
    for body in [&["a", "bc", "", "+"][..], &["abc"], &[], &["+"]] {
        let whole = body.iter().filter(|piece| **piece != "+").copied().collect::<String>();
        for look in [Look::Nothing, Look::Length(3), Look::Whole(3)] {
            for path in ["/", "/later"] {
                let seen = send(look, &budget, path, body).await;
                assert_eq!((seen.outcome, &seen.body[..]), (Ok(200), whole.as_bytes()), "{look:?} {body:?}");
                let trailers = if body.contains(&"+") { "yes" } else { "no" };
                assert_eq!(seen.trailers.as_deref(), Some(trailers));
                let looked_at = matches!(look, Look::Whole(_)).then(|| whole.len().to_string());
                assert_eq!(seen.looked_at, looked_at);
            }
        }
        assert_eq!(budget.held(), 0);
    }
}

#[tokio::test]
async fn a_body_is_refused_by_what_is_in_it_by_its_length_and_for_want_of_room() {
    let budget = BufferBudget::new(10);
    for path in ["/", "/later"] {
        let seen = send(Look::Whole(10), &budget, path, &["n", "o"]).await;
        assert_eq!((seen.outcome, seen.reason.as_deref()), (Ok(403), Some("no")));
    }
    let seen = send(Look::Whole(3), &budget, "/", &["ab", "cd"]).await;
    assert_eq!((seen.outcome, seen.reason.as_deref()), (Ok(413), Some("body_too_large")));
    let seen = send(Look::Length(3), &budget, "/", &["ab", "cd"]).await;
    assert_eq!(seen.outcome, Err(ErrorKind::RequestBodyTooLarge));
    assert_eq!(seen.reason.as_deref(), Some("body_too_large"));
    let seen = send(Look::Whole(100), &budget, "/", &["12345678", "901"]).await;
    assert_eq!((seen.outcome, seen.reason.as_deref()), (Ok(503), Some("buffers_full")));
    let seen = send(Look::Whole(10), &budget, "/", &["ab", "!"]).await;
    assert_eq!((seen.outcome, seen.reason.as_deref()), (Ok(400), Some("request_body")));
    assert_eq!(budget.held(), 0);
}

#[tokio::test]
async fn a_length_that_is_too_large_is_refused_before_a_byte_is_read() {
    for look in [Look::Length(3), Look::Whole(3)] {
        let layer = BodyPolicyLayer::with_budget(Scripted(look), BufferBudget::new(100));
        let mut service = layer.layer(tower::service_fn(
            async |_: Request<RequestBody<Body>>| -> Result<Response<Body>, Infallible> {
                unreachable!("it is not called")
            },
        ));
        let response = service.call(Request::new(Body::from("abcd"))).await.expect("a response");
        assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    }
}

#[tokio::test]
async fn bytes_count_until_the_service_has_taken_them_or_the_client_has_gone() {
    let budget = BufferBudget::new(10);
    let layer = BodyPolicyLayer::with_budget(Scripted(Look::Whole(10)), budget.clone());
    let mut service = layer.layer(tower::service_fn(async |request: Request<RequestBody<Pieces>>| {
        Ok::<_, Infallible>(Response::new(request.into_body()))
    }));
    let response = service.call(Request::new(pieces(&["abc"]))).await.expect("a response");
    assert_eq!(budget.held(), 3);
    let mut body = response.into_body();
    assert_eq!(body.size_hint().exact(), Some(3));
    assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
    assert!(body.frame().await.is_none());
    assert_eq!(budget.held(), 0);

    let mut cx = Context::from_waker(Waker::noop());
    {
        let mut future = pin!(service.call(Request::new(pieces(&["abc", "d", "e"]))));
        assert!(future.as_mut().poll(&mut cx).is_pending());
        assert!(future.as_mut().poll(&mut cx).is_pending());
        assert_eq!(budget.held(), 3);
    }
    assert_eq!(budget.held(), 0);
}

#[test]
fn readiness_is_the_inner_services() {
    type Mocked = Request<RequestBody<Body>>;
    let layer = BodyPolicyLayer::new(Scripted(Look::Nothing));
    let (service, mut handle) = tower_test::mock::pair::<Mocked, Response<Body>>();
    handle.allow(0);
    let mut service = tower_test::mock::Spawn::new(layer.layer(service));
    assert!(service.poll_ready::<Request<Body>>().is_pending());
    handle.allow(1);
    assert!(service.poll_ready::<Request<Body>>().is_ready());
}
