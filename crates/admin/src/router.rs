//! Which path answers what.

use axum::{Router, extract::State, response::Response, routing::get};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{ACCEPT, VARY},
};
use serde_json::json;

use crate::{Admin, answer, answer::Json, api, page};

pub(crate) fn router(admin: &Admin) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/config", get(config))
        .route("/metrics", get(metrics))
        .route("/api/summary", get(api::summary))
        .route("/api/routes", get(api::routes))
        .route("/api/upstreams", get(api::upstreams))
        .route("/api/requests", get(api::requests))
        .route("/api/reloads", get(api::reloads))
        .route("/api/events", get(api::events))
        .route("/", get(page::index))
        .route("/{file}", get(page::file))
        .fallback(nothing)
        .with_state(admin.clone())
}

async fn healthz() -> Response {
    answer::text("text/plain; charset=utf-8", "ok\n")
}

async fn readyz(State(admin): State<Admin>) -> Response {
    if admin.is_ready() {
        return answer::text("text/plain; charset=utf-8", "ready\n");
    }
    let mut response = answer::text("text/plain; charset=utf-8", "draining\n");
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

/// The metrics, rendered outside the task, since thousands of routes take milliseconds.
async fn metrics(State(admin): State<Admin>, headers: HeaderMap) -> Response {
    let Some(metrics) = admin.metrics().cloned() else { return nothing().await };
    let Ok(_scraper) = admin.scrapers().try_acquire() else {
        let detail = "Too many others read the metrics at this moment.";
        return answer::problem(StatusCode::SERVICE_UNAVAILABLE, detail).map(axum::body::Body::new);
    };
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).map(str::to_owned);
    match tokio::task::spawn_blocking(move || metrics.exposition(accept.as_deref())).await {
        Ok(exposition) => {
            let mut response = answer::text(exposition.content_type, exposition.body);
            response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
            response
        }
        Err(_) => {
            let detail = "The metrics cannot be read.";
            answer::problem(StatusCode::INTERNAL_SERVER_ERROR, detail).map(axum::body::Body::new)
        }
    }
}

/// The running configuration. What a route does is shown as it was assembled, with what `defaults` gave it.
async fn config(State(admin): State<Admin>) -> Json {
    let view = admin.view();
    let routes: Vec<_> = view
        .routes
        .iter()
        .map(|route| json!({"name": &*route.label, "upstream": route.upstream, "layers": route.layers}))
        .collect();
    let config = view.config.as_ref();
    Json(json!({
        "file": config.map(|config| &config.file),
        "hash": config.map(|config| &config.hash),
        "since": config.map(|config| api::unix_ms(config.since)),
        "settings": config.map(|config| &config.settings),
        "routes": routes,
    }))
}

pub(crate) async fn nothing() -> Response {
    answer::problem(StatusCode::NOT_FOUND, "There is no such page.").map(axum::body::Body::new)
}
