//! A request asked through the layer, and what became of it.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use gatewright_auth::{Algorithm, AuthLayer, Authenticate, Clock, Jwks, Jwt};
use gatewright_core::{Principal, RequestRecord};
use http::{HeaderValue, Request, Response, header::AUTHORIZATION, request::Parts};
use http_body_util::{BodyExt, Empty};
use serde_json::json;
use tower::{Layer, ServiceExt, service_fn};

use crate::{keys, token::NOW};

/// What became of a request.
pub(crate) struct Asked {
    pub(crate) status: u16,
    pub(crate) challenges: Vec<String>,
    pub(crate) body: Bytes,
    /// What the log says.
    pub(crate) rejection: Option<String>,
    pub(crate) principal: Option<Principal>,
    /// What reached the service.
    pub(crate) upstream: Option<Parts>,
}

/// Asks through a layer.
pub(crate) async fn ask<A: Authenticate>(layer: &AuthLayer<A>, request: Request<()>) -> Asked {
    let reached = Arc::new(Mutex::new(None));
    let service = layer.layer(service_fn({
        let reached = Arc::clone(&reached);
        move |request: Request<()>| {
            *reached.lock().unwrap() = Some(request.into_parts().0);
            async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
        }
    }));
    let record = RequestRecord::new(None);
    let mut request = request;
    request.extensions_mut().insert(record.clone());
    let (head, body) = service.oneshot(request).await.unwrap().into_parts();
    let challenges = head.headers.get_all("www-authenticate").iter();
    Asked {
        status: head.status.as_u16(),
        challenges: challenges.map(|value| value.to_str().unwrap().to_owned()).collect(),
        body: body.collect().await.unwrap().to_bytes(),
        rejection: record.with(|summary| summary.rejection.as_ref().map(|refusal| refusal.reason().to_owned())),
        principal: record.with(|summary| summary.principal.clone()),
        upstream: reached.lock().unwrap().take(),
    }
}

/// A request that shows a token as it should.
pub(crate) fn bearer(token: &str) -> Request<()> {
    let mut request = Request::new(());
    let value = HeaderValue::try_from(format!("Bearer {token}")).unwrap();
    request.headers_mut().insert(AUTHORIZATION, value);
    request
}

/// A clock that stands.
pub(crate) fn clock_at(seconds: u64) -> Clock {
    Clock::from_fn(move || UNIX_EPOCH + Duration::from_secs(seconds))
}

/// The issuer's keys.
pub(crate) fn jwks() -> Jwks {
    let keys = json!({"keys": [
        keys::rsa().jwk("rsa", Algorithm::Rs256),
        keys::ec().jwk("ec", Algorithm::Es256),
    ]});
    Jwks::from_json(keys.to_string().as_bytes()).unwrap()
}

/// Two issuers, as a service would name them.
pub(crate) fn jwt() -> Jwt {
    let other = json!({"keys": [keys::other().jwk("other", Algorithm::EdDsa)]});
    let other = Jwks::from_json(other.to_string().as_bytes()).unwrap();
    Jwt::new(jwks())
        .issuer("https://id.example/")
        .audience("api")
        .or(Jwt::new(other).issuer("https://other.example/").audience("api"))
        .realm("orders")
        .clock(clock_at(NOW))
}
