//! Routes that are told apart by the way by which requests come.

use gatewright_core::{ConnectionInfo, TlsInfo};
use gatewright_router::BuildError;
use http::uri::Scheme;

use super::*;

/// A request by a listener, whose client spoke TLS or not.
fn by(listener: &str, tls: bool, method: Method) -> Request<Body> {
    let address = ([127, 0, 0, 1], 1).into();
    let mut connection = ConnectionInfo::new(address, address).with_listener(listener.into());
    if tls {
        connection = connection.with_tls(TlsInfo::new());
    }
    let mut request = get("/a/b");
    *request.method_mut() = method;
    request.extensions_mut().insert(RequestRecord::new(Some(Arc::new(connection))));
    request
}

#[tokio::test]
async fn routes_are_told_apart_by_listener_and_scheme() -> Result<(), BuildError> {
    let named = |name: &'static str| {
        service_fn(move |_: Request<Body>| async move { Ok::<_, Infallible>(Response::new(Body::from(name))) })
    };
    let prefix = || Route::path_prefix("/a");
    let router = RouterService::builder()
        .route(prefix(), named("any"))
        .route(prefix().methods([Method::POST]), named("post"))
        .route(prefix().scheme(Scheme::HTTPS), named("secure"))
        .route(prefix().listener("inner").listener("side"), named("inner"))
        .route(prefix().listener("inner").scheme(Scheme::HTTPS), named("inner and secure"))
        .route(Route::path("/a/c").listener("inner"), named("never here"))
        .build()?;
    for (listener, tls, method, expected) in [
        ("outer", false, Method::GET, "any"),
        ("outer", false, Method::POST, "post"),
        ("outer", true, Method::GET, "secure"),
        ("outer", true, Method::POST, "secure"),
        ("inner", false, Method::POST, "inner"),
        ("side", false, Method::GET, "inner"),
        ("inner", true, Method::GET, "inner and secure"),
    ] {
        let (_, body) = send(&router, by(listener, tls, method)).await.into_parts();
        assert_eq!(body.collect().await.expect("a body").to_bytes(), expected, "{listener} {tls}");
    }
    // A trusted proxy's word goes before what the connection shows; without either, the URI's scheme counts.
    let mut request = get("/a/b");
    *request.uri_mut() = "https://a/a/b".parse().expect("a URI");
    let (_, body) = send(&router, request).await.into_parts();
    assert_eq!(body.collect().await.expect("a body").to_bytes(), "secure");
    let mut request = get("/a/c");
    request.extensions_mut().insert(RequestRecord::new(None));
    assert_eq!(send(&router, request).await.into_body().collect().await.expect("a body").to_bytes(), "any");
    Ok(())
}

#[test]
fn routes_of_ways_that_never_meet_do_not_conflict() {
    let build = |one: Route, other: Route| {
        let service =
            service_fn(|_: Request<Body>| async { Ok::<_, Infallible>(Response::new(Body::empty())) });
        RouterService::<Body>::builder().route(one, service).route(other, service).build()
    };
    let prefix = || Route::path_prefix("/a");
    for (one, other) in [
        (prefix().listener("x"), prefix().listener("y")),
        (prefix().scheme(Scheme::HTTP), prefix().scheme(Scheme::HTTPS)),
        (prefix().listener("x"), prefix()),
        (prefix().listener("x"), prefix().scheme(Scheme::HTTP)),
        (prefix().scheme(Scheme::HTTP), prefix()),
        (prefix().listener("x").scheme(Scheme::HTTP), prefix().listener("x")),
    ] {
        assert!(build(one.clone(), other.clone()).is_ok(), "{one} {other}");
    }
    for (one, other) in [
        (prefix().listener("x"), prefix().listener("x").listener("y")),
        (prefix().scheme(Scheme::HTTP), prefix().scheme(Scheme::HTTP)),
    ] {
        assert!(build(one.clone(), other.clone()).is_err(), "{one} {other}");
    }
}
