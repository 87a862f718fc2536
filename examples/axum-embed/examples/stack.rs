//! The program of the README: a gateway of two routes, behind axum's own. `cargo run -p axum-embed --example stack`

use axum::{Router, routing::get};
use gatewright::{AccessLog, ProxyService, RewriteLayer, RouterService, TraceLayer};
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let orders = ServiceBuilder::new()
        .layer(RewriteLayer::new().replace_prefix("/v1/orders", "/internal/orders"))
        .service(ProxyService::builder().target("order-service:8080").build()?);
    let payments = ProxyService::builder().target("payment-service:8080").build()?;

    let routes = RouterService::builder()
        .path_prefix("/v1/orders", orders)
        .path_prefix("/v1/payments", payments)
        .build()?;
    let log = TraceLayer::new().access_log(AccessLog::stdout()?);
    let gateway = ServiceBuilder::new().layer(log).service(routes);

    // A gateway is a service like any other: here it stands behind axum's own routes.
    let app = Router::new().route("/healthz", get(|| async { "ok" })).fallback_service(gateway);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    Ok(axum::serve(listener, app).await?)
}
