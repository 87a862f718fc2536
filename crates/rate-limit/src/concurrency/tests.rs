use std::{
    future::Future,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use gatewright_core::{Body, BoxError, OnUpgrade, Rejection, Upgraded};
use http::{HeaderName, Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::{BodyExt, Full};
use tower_layer::Layer;
use tower_service::Service;

use super::*;
use crate::Key;

type Held = gatewright_core::ResponseBody<Full<Bytes>>;

/// Answers when it is told to, with a body of one chunk.
#[derive(Clone)]
struct Slow(tokio::sync::watch::Receiver<bool>);

impl Service<Request<()>> for Slow {
    type Response = Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Full<Bytes>>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        let mut go = self.0.clone();
        Box::pin(async move {
            go.wait_for(|go| *go).await?;
            Ok(Response::new(Full::from("done")))
        })
    }
}

fn request(tenant: &'static str) -> Request<()> {
    Request::builder().header("x-tenant", tenant).body(()).expect("a request")
}

fn layer(most: u32) -> ConcurrencyLimitLayer {
    ConcurrencyLimitLayer::new(most).key(Key::header(HeaderName::from_static("x-tenant")))
}

#[tokio::test]
async fn a_permit_is_out_until_the_body_has_ended() {
    let (go, wait) = tokio::sync::watch::channel(true);
    let layer = layer(1);
    let mut service = layer.layer(Slow(wait));
    let response = service.call(request("a")).await.expect("a response");
    assert_eq!((response.status(), layer.under_way()), (StatusCode::OK, 1));
    assert_eq!(response.body().size_hint().exact(), Some(4), "the body's length is known as before");

    let refused = service.clone().call(request("a")).await.expect("a response");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "1");
    let rejection = refused.extensions().get::<Rejection>().expect("a rejection");
    assert_eq!((rejection.policy(), rejection.reason()), ("concurrency-limit", "too_many_at_once"));
    assert_eq!(layer.refused(), 1);
    let of_another = service.call(request("b")).await.expect("a response");
    assert_eq!(of_another.status(), StatusCode::OK);
    drop(of_another);

    let mut body: Held = response.into_body();
    assert!(body.frame().await.is_some_and(|frame| frame.is_ok()));
    assert_eq!(layer.under_way(), 1);
    assert!(body.frame().await.is_none());
    assert_eq!(layer.under_way(), 0);
    drop(go);
}

#[tokio::test]
async fn a_permit_comes_back_when_the_client_goes_away_before_or_after_the_head() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let layer = layer(1);
    let mut service = layer.layer(Slow(wait));
    {
        let mut future = pin!(service.call(request("a")));
        assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(layer.under_way(), 1);
    }
    assert_eq!(layer.under_way(), 0);
    go.send_replace(true);
    let response = service.call(request("a")).await.expect("a response");
    assert_eq!(layer.under_way(), 1);
    drop(response);
    assert_eq!(layer.under_way(), 0);
}

#[tokio::test]
async fn a_websocket_is_under_way_until_it_ends() {
    let layer = layer(1);
    let mut service = layer.layer(tower::service_fn(|_: Request<()>| async {
        Ok::<_, BoxError>(Response::builder().status(101).body(Full::<Bytes>::default()).expect("a response"))
    }));
    let (pending, on_upgrade) = OnUpgrade::pending();
    let mut asked = request("a");
    asked.extensions_mut().insert(on_upgrade.clone());
    let response = service.call(asked).await.expect("a response");
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    drop(response);
    assert_eq!(layer.under_way(), 1);
    pending.fulfil(Upgraded::new(tokio::io::duplex(1).0, Bytes::new()));
    let tunnel = on_upgrade.await.expect("a stream");
    let refused = service.call(request("a")).await.expect("a response");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    drop(tunnel);
    assert_eq!(layer.under_way(), 0);
}

#[tokio::test]
async fn many_at_once_are_bounded_by_key() {
    let (go, wait) = tokio::sync::watch::channel(false);
    let layer = layer(3);
    let mut service = layer.layer(Slow(wait));
    let futures: Vec<_> = (0..10).map(|i| service.call(request(if i % 2 == 0 { "a" } else { "b" }))).collect();
    assert_eq!(layer.under_way(), 6);
    go.send_replace(true);
    let mut refused = 0;
    for future in futures {
        let response = future.await.expect("a response");
        refused += u32::from(response.status() == StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!((refused, layer.under_way()), (4, 0));
}

#[tokio::test]
async fn a_dry_run_refuses_nobody_and_counts() {
    let (_go, wait) = tokio::sync::watch::channel(true);
    let layer = layer(1).dry_run();
    let mut service = layer.layer(Slow(wait));
    let first = service.call(request("a")).await.expect("a response");
    let second = service.call(request("a")).await.expect("a response");
    assert_eq!(second.status(), StatusCode::OK);
    assert_eq!((layer.refused(), layer.under_way()), (1, 1));
    drop(first);
    assert_eq!(layer.under_way(), 0);
}

#[tokio::test]
async fn none_at_all_refuses_everybody() {
    let (_go, wait) = tokio::sync::watch::channel(true);
    let mut service = layer(0).layer(Slow(wait));
    let response = service.call(request("a")).await.expect("a response");
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(!response.body().is_end_stream());
}

#[test]
fn readiness_is_the_inner_services() {
    let (mut service, mut handle) =
        tower_test::mock::spawn_layer::<Request<Body>, Response<Body>, _>(ConcurrencyLimitLayer::new(0));
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
}

#[test]
fn a_key_counts_each_request_that_is_under_way_and_is_forgotten_when_all_have_ended() {
    use std::hash::Hasher;

    let permits = std::sync::Arc::new(permits::Permits::new(2));
    let mut key = crate::key::KeyBytes::default();
    key.write_u64(1);
    let take = || permits::Permits::take(&permits, &key);
    let (first, second) = (take().expect("one of two"), take().expect("two of two"));
    assert!(take().is_none());
    drop(first);
    assert_eq!((permits.under_way(), permits.keys()), (1, 1));
    let third = take().expect("one has ended");
    assert!(take().is_none());
    drop((second, third));
    assert_eq!((permits.under_way(), permits.keys()), (0, 0));
}
