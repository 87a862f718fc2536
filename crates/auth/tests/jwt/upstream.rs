//! What a service gets to see of who calls.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use gatewright_auth::{AuthLayer, Authenticate, Jwt};
use gatewright_core::{Principal, RequestRecord};
use http::{HeaderMap, Request, Response};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::{
    asking::{ask, bearer, jwt},
    token::Token,
};

fn told() -> Jwt {
    jwt()
        .claim_header("x-user-id".parse().unwrap(), "sub")
        .claim_header("x-groups".parse().unwrap(), "groups")
        .claim_header("x-roles".parse().unwrap(), "realm_access.roles")
        .claim_header("x-nothing".parse().unwrap(), "nothing")
}

async fn headers<A: Authenticate>(layer: &AuthLayer<A>, request: Request<()>) -> HeaderMap {
    ask(layer, request).await.upstream.unwrap().headers
}

#[tokio::test]
async fn claims_are_told_in_headers_and_nobody_else_can_tell_them() {
    let mut request = bearer(&Token::good().signed());
    for name in ["x-user-id", "x_user_id", "x.user.id", "x-groups", "x-nothing", "x_nothing", "x-else"] {
        request.headers_mut().append(name, "forged".parse().unwrap());
    }
    let headers = headers(&AuthLayer::new(told()), request).await;
    assert_eq!(headers["x-user-id"], "u1");
    assert_eq!(headers["x-groups"], "a,b");
    assert_eq!(headers["x-roles"], "clerk,admin");
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["x-else", "x-groups", "x-roles", "x-user-id"]);
}

#[tokio::test]
async fn a_remembered_token_tells_the_same() {
    let layer = AuthLayer::new(told());
    let token = Token::good().signed();
    let first = headers(&layer, bearer(&token)).await;
    for _ in 0..3 {
        assert_eq!(headers(&layer, bearer(&token)).await, first);
    }
}

#[tokio::test]
async fn tokens_are_taken_out_unless_they_are_to_go_on() {
    let token = Token::good().signed();
    let in_query = || {
        let uri = format!("https://api.example/a%20b?x=1&t={token}");
        Request::get(uri).header("cookie", "a=b").body(()).unwrap()
    };
    let in_cookie = || Request::get("/").header("cookie", format!("a=b; session={token}")).body(()).unwrap();
    let upstream = async |layer: &AuthLayer<Jwt>, request| ask(layer, request).await.upstream.unwrap();

    let taken = jwt().from_query("t").from_cookie("session");
    let layer = AuthLayer::new(taken.clone());
    let seen = upstream(&layer, in_query()).await;
    assert_eq!(seen.uri, "https://api.example/a%20b?x=1");
    assert_eq!(seen.headers["cookie"], "a=b");
    assert_eq!(upstream(&layer, in_cookie()).await.headers["cookie"], "a=b");
    assert!(!upstream(&layer, bearer(&token)).await.headers.contains_key("authorization"));

    let layer = AuthLayer::new(taken.forward_token());
    assert_eq!(upstream(&layer, in_query()).await.uri, "https://api.example/a%20b?x=1");
    assert_eq!(upstream(&layer, in_cookie()).await.headers["cookie"], format!("a=b; session={token}"));
    assert_eq!(upstream(&layer, bearer(&token)).await.headers["authorization"], format!("Bearer {token}"));
}

#[tokio::test]
async fn an_earlier_principal_is_gone_whatever_becomes_of_the_request() {
    let admin = || Principal::builder("admin", "forged").build();
    let service = AuthLayer::none().layer(service_fn(|request: Request<()>| async move {
        assert!(request.extensions().get::<Principal>().is_none());
        let record = RequestRecord::of(request.extensions()).unwrap();
        assert!(record.with(|summary| summary.principal.is_none()));
        Ok::<_, Infallible>(Response::new(()))
    }));
    let mut request = Request::new(());
    let record = RequestRecord::new(None);
    record.with(|summary| summary.principal = Some(admin()));
    request.extensions_mut().insert(record);
    request.extensions_mut().insert(admin());
    assert_eq!(service.oneshot(request).await.unwrap().status(), 200);

    let mut request = Request::new(());
    let record = RequestRecord::new(None);
    record.with(|summary| summary.principal = Some(admin()));
    request.extensions_mut().insert(record.clone());
    let refuses =
        AuthLayer::new(jwt()).layer(service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(()))));
    assert_eq!(refuses.oneshot(request).await.unwrap().status(), 401);
    assert!(record.with(|summary| summary.principal.is_none()));
}

#[tokio::test]
async fn without_a_record_the_principal_is_in_the_extensions() {
    let service = AuthLayer::new(jwt()).layer(service_fn(|request: Request<()>| async move {
        let principal = request.extensions().get::<Principal>().unwrap();
        Ok::<_, Infallible>(Response::new(principal.id().to_owned()))
    }));
    let response = service.oneshot(bearer(&Token::good().signed())).await.unwrap();
    assert_eq!(response.status(), 200);
}

/// Panics when it is called without having been asked whether it is ready.
#[derive(Default)]
struct Careful {
    ready: bool,
}

impl Clone for Careful {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Service<Request<()>> for Careful {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without being ready");
        ready(Ok(Response::new(())))
    }
}

#[tokio::test]
async fn the_service_that_was_ready_is_the_one_that_is_called() {
    let mut service = AuthLayer::new(jwt()).layer(Careful::default());
    for _ in 0..3 {
        let response = service.ready().await.unwrap().call(bearer(&Token::good().signed())).await.unwrap();
        assert_eq!(response.status(), 200);
    }
}

#[tokio::test]
async fn a_layer_is_as_ready_as_its_service() {
    let (mut service, mut handle) =
        tower_test::mock::spawn_with(|mock: tower_test::mock::Mock<Request<()>, Response<()>>| {
            AuthLayer::new(jwt()).layer(mock)
        });
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(matches!(service.poll_ready(), Poll::Ready(Ok(()))));
    // A refusal does not reach it.
    assert_eq!(service.call(Request::new(())).await.unwrap().status(), 401);
}
