//! One layer behind another: what the first has told a service, the second leaves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use gatewright_auth::{ApiKeys, AuthLayer, NewApiKey};
use gatewright_core::RequestRecord;
use http::{HeaderMap, HeaderName, Request, Response};
use tower::{Layer, ServiceExt, service_fn};

/// A layer that takes this key in a field of its own, and tells the owner in another.
fn layer(key: &NewApiKey, field: &'static str, told_in: &'static str) -> AuthLayer<ApiKeys> {
    let keys = ApiKeys::from_yaml(key.entry()).header(HeaderName::from_static(field));
    AuthLayer::new(keys.owner_header(HeaderName::from_static(told_in)).build().unwrap())
}

#[tokio::test]
async fn what_an_outer_layer_has_told_of_the_caller_arrives_beside_what_an_inner_one_tells() {
    let new = |name| NewApiKey::builder(name).generate().unwrap();
    let (user, partner) = (new("anna"), new("acme"));
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let sees = Arc::clone(&seen);
    let service = service_fn(move |request: Request<String>| {
        *sees.lock().unwrap() = request.headers().clone();
        async { Ok::<_, Infallible>(Response::new(String::new())) }
    });
    let inner = layer(&partner, "x-partner-key", "x-partner").layer(service);
    let service = layer(&user, "x-user-key", "x-user-id").layer(inner);
    let request = Request::get("/")
        .extension(RequestRecord::new(None))
        .header("x-user-key", user.secret())
        .header("x-partner-key", partner.secret())
        .header("x-user-id", "forged")
        .header("x-partner", "forged");
    let response = service.oneshot(request.body(String::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let headers = seen.lock().unwrap().clone();
    assert_eq!(
        (&headers["x-user-id"], &headers["x-partner"]),
        (&"anna".parse().unwrap(), &"acme".parse().unwrap())
    );
}
