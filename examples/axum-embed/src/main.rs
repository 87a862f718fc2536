//! A gateway inside an axum application: axum's own routes come first, and the gateway takes all other requests.
//!
//! `cargo run -p axum-embed` serves on 127.0.0.1:8080; with `--once` it asks itself one question and ends.

use std::{env, error::Error, io, net::SocketAddr, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    routing::get,
};
use gatewright::{ClientInfoLayer, ProxyService, RewriteLayer, RouterService, TraceLayer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let order_service = start_order_service().await?;
    let app = app(&order_service.to_string())?;

    let once = env::args().any(|argument| argument == "--once");
    let listener = TcpListener::bind(if once { "127.0.0.1:0" } else { "127.0.0.1:8080" }).await?;
    let address = listener.local_addr()?;
    println!("the order service listens on {order_service}, the application on {address}");
    println!("try: curl -i http://{address}/v1/orders/1001");

    let server = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>());
    if !once {
        return Ok(server.await?);
    }
    tokio::spawn(async { server.await });
    let healthz = ask(address, "/healthz").await?;
    let order = ask(address, "/v1/orders/1001?full=1").await?;
    println!("{healthz}\n{order}");
    assert!(healthz.starts_with("HTTP/1.1 200") && healthz.ends_with("ok"), "axum answers its own routes");
    assert!(
        order.starts_with("HTTP/1.1 200") && order.contains("x-request-id: "),
        "the gateway answers the rest"
    );
    assert!(order.ends_with("GET /internal/orders/1001?full=1 for 127.0.0.1"), "the path is rewritten");
    Ok(())
}

/// The application: one route of its own, and everything else goes through the gateway.
fn app(order_service: &str) -> Result<Router, Box<dyn Error>> {
    let orders = ServiceBuilder::new()
        .layer(RewriteLayer::new().replace_prefix("/v1/orders", "/internal/orders"))
        .service(ProxyService::builder().target(order_service).timeout(Duration::from_secs(5)).build()?);

    let gateway =
        ServiceBuilder::new()
            // axum knows the peer, and tells the gateway here.
            .layer(ClientInfoLayer::new().peer_from(|extensions| {
                extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer)
            }))
            .layer(TraceLayer::new())
            .service(RouterService::builder().path_prefix("/v1/orders", orders).build()?);

    Ok(Router::new().route("/healthz", get(|| async { "ok" })).fallback_service(gateway))
}

/// A service behind the gateway: it answers with the method, the target and the client that it saw.
async fn start_order_service() -> io::Result<SocketAddr> {
    async fn answer(request: Request) -> String {
        let client = request.headers().get("x-forwarded-for").map_or("nobody", |ip| ip.to_str().unwrap_or("?"));
        format!("{} {} for {client}", request.method(), request.uri())
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
    Ok(address)
}

/// Sends one request, and returns the raw response.
async fn ask(server: SocketAddr, target: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(server).await?;
    let request = format!("GET {target} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    connection.read_to_string(&mut response).await?;
    Ok(response)
}
