//! Where credentials may be sent in a field of the caller's own, no trailer smuggles them past.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use gatewright_auth::{ApiKeys, AuthLayer, NewApiKey};
use gatewright_core::RequestRecord;
use http::{HeaderName, Request, Response};
use tower::{Layer, ServiceExt, service_fn};

/// The names that no trailer may have, as the service behind the layer finds them; `None` without a record.
async fn barred_by(field: HeaderName) -> Option<Vec<HeaderName>> {
    let key = NewApiKey::builder("acme").generate().unwrap();
    let keys = ApiKeys::from_yaml(key.entry()).header(field.clone()).build().unwrap();
    let seen = Arc::new(Mutex::new(None));
    let sees = Arc::clone(&seen);
    let service = AuthLayer::new(keys).layer(service_fn(move |request: Request<String>| {
        let record = RequestRecord::of(request.extensions());
        *sees.lock().unwrap() =
            record.map(|record| record.with_layers(|_, layers| layers.not_in_trailers.clone()));
        async { Ok::<_, Infallible>(Response::new(String::new())) }
    }));
    let request = Request::get("/").header(field, key.secret());
    let response = service.oneshot(request.body(String::new()).unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    let barred = seen.lock().unwrap().take()?;
    Some(barred.map(|names| names.to_vec()).unwrap_or_default())
}

#[tokio::test]
async fn the_field_of_a_key_is_barred_from_trailers_also_where_nobody_else_keeps_a_record() {
    let field = HeaderName::from_static("x-api-key");
    assert_eq!(barred_by(field.clone()).await, Some(vec![field]));
}
