//! What the layer does beside paths and hosts, and what it cannot be made of.

use std::{convert::Infallible, sync::Arc};

use gatewright_core::{Body, Rejection, RequestRecord};
use gatewright_rewrite::{Redirect, RewriteError, RewriteLayer};
use http::{HeaderMap, HeaderName, Request, Response, StatusCode};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

/// Sends a request with these headers through the layer; gives the headers that the service saw, and the response's.
async fn headers(layer: RewriteLayer, sent: &[(&'static str, &'static str)]) -> (HeaderMap, HeaderMap) {
    let inner = service_fn(|request: Request<Body>| async move {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(request.headers().clone());
        for value in ["one", "two"] {
            response.headers_mut().append("x-served-by", value.parse().expect("a value"));
        }
        response.headers_mut().insert("server", "origin/1.0".parse().expect("a value"));
        Ok::<_, Infallible>(response)
    });
    let mut request = Request::get("/a").body(Body::empty()).expect("a request");
    for (name, value) in sent {
        request.headers_mut().append(*name, value.parse().expect("a value"));
    }
    let response = layer.layer(inner).oneshot(request).await.unwrap_or_else(|never| match never {});
    (response.extensions().get::<HeaderMap>().cloned().unwrap_or_default(), response.headers().clone())
}

fn values<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
}

/// The proxy keeps these out of the trailers.
#[tokio::test]
async fn a_field_that_is_set_or_removed_is_kept_out_of_trailers_too() -> Result<(), RewriteError> {
    let barred = service_fn(|request: Request<Body>| async move {
        let mut response = Response::new(Body::empty());
        let record = RequestRecord::of(request.extensions());
        if let Some(names) =
            record.and_then(|record| record.with_layers(|_, layers| layers.not_in_trailers.clone()))
        {
            response.extensions_mut().insert(names);
        }
        Ok::<_, Infallible>(response)
    });
    let layer = RewriteLayer::new()
        .set_request_header("x-plan", "free")?
        .add_request_header("x-tag", "new")?
        .remove_request_header("x-debug")?
        .remove_response_header("server")?;
    for (layer, expected) in [(layer, Some(vec!["x-plan", "x-debug"])), (RewriteLayer::new(), None)] {
        let request = Request::get("/a").body(Body::empty()).expect("a request");
        let answered = layer.layer(barred).oneshot(request).await.unwrap_or_else(|never| match never {});
        let names = answered.extensions().get::<Arc<[HeaderName]>>();
        let names = names.map(|names| names.iter().map(|name| name.as_str()).collect::<Vec<_>>());
        assert_eq!(names, expected);
    }
    Ok(())
}

#[tokio::test]
async fn headers_are_set_added_and_removed_in_both_directions() -> Result<(), RewriteError> {
    let layer = RewriteLayer::new()
        .set_request_header("X-Via", "gw")?
        .add_request_header("x-tag", "new")?
        .remove_request_header("cookie")?
        .set_response_header("x-served-by", "gw")?
        .add_response_header("vary", "origin")?
        .remove_response_header("server")?;
    let sent = [
        ("x-via", "a"),
        ("x-via", "b"),
        ("x-tag", "old"),
        ("cookie", "a=1"),
        ("cookie", "b=2"),
        ("x-kept", "k"),
    ];
    let (seen, answered) = headers(layer, &sent).await;
    assert_eq!(values(&seen, "x-via"), ["gw"]);
    assert_eq!(values(&seen, "x-tag"), ["old", "new"]);
    assert_eq!(values(&seen, "cookie"), [""; 0]);
    assert_eq!(values(&seen, "x-kept"), ["k"]);
    assert_eq!(values(&answered, "x-served-by"), ["gw"]);
    assert_eq!(values(&answered, "vary"), ["origin"]);
    assert_eq!(values(&answered, "server"), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn headers_are_changed_in_the_order_given() -> Result<(), RewriteError> {
    let layer = RewriteLayer::new()
        .remove_request_header("x")?
        .add_request_header("x", "1")?
        .add_request_header("x", "2")?;
    assert_eq!(values(&headers(layer, &[("x", "0")]).await.0, "x"), ["1", "2"]);
    let layer = RewriteLayer::new().add_request_header("x", "1")?.remove_request_header("x")?;
    assert_eq!(values(&headers(layer, &[("x", "0")]).await.0, "x"), [""; 0]);
    Ok(())
}

#[test]
fn a_text_that_cannot_be_read_is_an_error_with_a_hint() {
    let layer = RewriteLayer::new;
    let redirect =
        |redirect: Result<Redirect, RewriteError>| redirect.map(|redirect| layer().redirect(redirect));
    let table = [
        (layer().path_pattern("v1", "/x"), "start it with `/`"),
        (layer().path_pattern("/v1/{id}", "/x/{user}"), "captures `{id}` only"),
        (layer().path_pattern("/v1/{id}", "/x?id={id}"), "the query is kept"),
        (layer().replace_regex("/(", "/x"), "unclosed group"),
        (layer().replace_regex("/a)(/b", "/x"), "unopened group"),
        (layer().replace_regex("/(a)", "/$2"), "no group `2`: the regex has one, `$1`"),
        (layer().replace_regex("/a", "/$1"), "the regex has none"),
        (layer().replace_regex("/(a)(b)", "/$3"), "has 2, `$1` to `$2`"),
        (layer().replace_regex("/(?P<id>a)", "/${name}"), "no group `name`"),
        (layer().replace_regex("/(a)", "/$x"), "write `$1`"),
        (layer().replace_regex("/(a)", "/${1"), "write `$1`"),
        (layer().replace_regex("/(a)", "x$1"), "start it with `/`"),
        (layer().replace_regex("/(a)", "/x?y=$1"), "the query is kept"),
        (layer().host(""), "write a host"),
        (layer().host("a b"), "write a host"),
        (layer().host("h.test/x"), "write a host"),
        (layer().host("h.test:"), "write a host"),
        (layer().host("h.test:99999"), "write a host"),
        (layer().host("user@h.test"), "leave user and password out"),
        (layer().set_request_header("a b", "x"), "no header name"),
        (layer().set_request_header("x", "a\r\nb: c"), "no control characters"),
        (layer().set_request_header("Host", "x"), "rewrite the host instead"),
        (layer().add_request_header("transfer-encoding", "chunked"), "frames the message"),
        (layer().remove_request_header("Content-Length"), "frames the message"),
        (layer().set_response_header("Connection", "x"), "frames the message"),
        (layer().add_response_header("", "x"), "no header name"),
        (layer().remove_response_header("trailer"), "frames the message"),
        (redirect(Redirect::new(300)), "301, 302, 303, 307 or 308"),
        (redirect(Redirect::new(200)), "301, 302, 303, 307 or 308"),
        (redirect(Redirect::new(9)), "301, 302, 303, 307 or 308"),
        (redirect(Redirect::permanent().scheme("ftp")), "`http` or `https`"),
        (redirect(Redirect::permanent().host("h.test:81")), "set the port apart"),
        (redirect(Redirect::permanent().regex("[", "/x")), "unclosed"),
        (redirect(Redirect::permanent().pattern("/{a}/{a}", "/x")), "another name"),
    ];
    for (made, hint) in table {
        let error = made.map(|_| hint).expect_err(hint);
        assert!(error.to_string().contains(hint), "expected {hint}, found {error}");
    }
}

#[tokio::test]
async fn a_bad_path_is_refused_with_its_reason_in_the_record() {
    let inner = service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
    let layer = RewriteLayer::new().replace_regex("/x/(.*)", "/y/..$1").expect("a regex");
    let record = RequestRecord::new(None);
    let mut request = Request::get("/x/").body(Body::empty()).expect("a request");
    request.extensions_mut().insert(record.clone());
    let response = layer.layer(inner).oneshot(request).await.unwrap_or_else(|never| match never {});
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let rejection = response.extensions().get::<Rejection>().expect("the rejection");
    assert_eq!((rejection.policy(), rejection.reason()), ("rewrite", "path_dot_segment"));
    assert!(record.with(|summary| summary.rejection.is_some()));
}

#[tokio::test]
async fn readiness_is_the_inner_services() {
    let layer = RewriteLayer::new().replace_prefix("/a", "/b");
    let (mut service, mut handle) = tower_test::mock::spawn_layer::<Request<Body>, Response<Body>, _>(layer);
    handle.allow(0);
    assert!(service.poll_ready().is_pending());
    handle.allow(1);
    assert!(service.poll_ready().is_ready());
    let response = service.call(Request::get("/a/x").body(Body::empty()).expect("a request"));
    let (request, respond) = handle.next_request().await.expect("the request");
    assert_eq!(request.uri().path(), "/b/x");
    respond.send_response(Response::new(Body::empty()));
    assert_eq!(response.await.expect("answers").status(), StatusCode::OK);
}

#[tokio::test]
async fn it_stacks_as_any_layer_does() {
    let mut service = ServiceBuilder::new()
        .layer(RewriteLayer::new().replace_prefix("/v1/orders", "/internal/orders"))
        .service_fn(|request: Request<String>| async move {
            Ok::<_, Infallible>(Response::new(Body::from(request.uri().path().to_owned())))
        });
    let request = Request::get("/v1/orders/7").body(String::new()).expect("a request");
    let response = service.ready().await.unwrap_or_else(|never| match never {}).call(request).await;
    let body = response.unwrap_or_else(|never| match never {}).into_body();
    assert_eq!(http_body_util::BodyExt::collect(body).await.expect("a body").to_bytes(), "/internal/orders/7");
}
