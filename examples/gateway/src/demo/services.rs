//! The services behind the demo: they answer with what they saw, so that one sees what the gateway did.

use std::{
    convert::Infallible,
    future::Ready,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use gatewright::Body;
use http::{HeaderValue, Request, Response, StatusCode, header};
use tower::{ServiceExt, util::BoxCloneSyncService};

/// A service of the demo.
pub(super) type Service = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Orders, which live under `/internal/orders` here.
pub(super) fn orders() -> Service {
    service("orders", |path| {
        let id = path.strip_prefix("/internal/orders/")?;
        Some(format!("\"order\": {}, \"state\": \"shipped\"", text(id)))
    })
}

/// Payments.
pub(super) fn payments() -> Service {
    service("payments", |path| {
        (path == "/v1/payments").then(|| "\"payment\": \"p-1\", \"state\": \"accepted\"".into())
    })
}

/// Users.
pub(super) fn users() -> Service {
    service("users", |path| {
        let id = path.strip_prefix("/internal/avatars/")?;
        Some(format!("\"user\": {}, \"avatar\": \"(o_o)\"", text(id)))
    })
}

/// Stock, which fails every fourth time.
pub(super) fn stock() -> Service {
    let inner = service("stock", |path| path.strip_prefix("/v1/stock/").map(|_| "\"left\": 12".to_owned()));
    let turn = Arc::new(AtomicUsize::new(1));
    let answer = move |request: Request<Body>| {
        let fails = turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(4);
        let inner = inner.clone();
        async move {
            if fails {
                let mut response = Response::new(Body::from("{\"error\": \"the stock is being counted\"}\n"));
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                return Ok(response);
            }
            inner.oneshot(request).await
        }
    };
    BoxCloneSyncService::new(tower::service_fn(answer))
}

/// A service that answers the paths it knows with what `content` makes of them, and with the request as it
/// saw it.
fn service(name: &'static str, content: fn(&str) -> Option<String>) -> Service {
    let answer = move |request: Request<Body>| -> Ready<Result<Response<Body>, Infallible>> {
        let (status, content) = match content(request.uri().path()) {
            Some(content) => (StatusCode::OK, content),
            None => (StatusCode::NOT_FOUND, "\"error\": \"no such thing\"".to_owned()),
        };
        let seen = |name: &str| {
            let value = request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
            format!("\"{name}\": {}", text(value))
        };
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let body = format!(
            "{{\"service\": \"{name}\", {content},\n \"seen\": {{\"method\": {}, \"path\": {}, {}, {}, {}}}}}\n",
            text(request.method().as_str()),
            text(target),
            seen("host"),
            seen("x-forwarded-for"),
            seen("x-request-id"),
        );
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        std::future::ready(Ok(response))
    };
    BoxCloneSyncService::new(tower::service_fn(answer))
}

/// A JSON string.
fn text(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for character in value.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            character if character.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => text.push(character),
        }
    }
    text.push('"');
    text
}
