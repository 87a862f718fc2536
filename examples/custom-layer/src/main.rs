//! A custom policy and a custom layer in a gateway's stack.
//!
//! A policy looks at a request and decides: [`BusinessHours`]. For everything else, use any Tower layer:
//! [`DeprecationLayer`]. What only watches is an observer: [`Busiest`]. `cargo run -p custom-layer` serves on 127.0.0.1:8080; with `--once` it asks itself
//! two questions and ends.

mod busiest;
mod business_hours;
mod deprecation;

use std::{env, error::Error, io, net::SocketAddr, ops::Range};

use axum::Router;
use busiest::Busiest;
use business_hours::BusinessHours;
use deprecation::DeprecationLayer;
use gatewright::{PolicyLayer, ProxyService, Route, RouterService, TraceLayer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let bank = start_bank().await?.to_string();
    if env::args().any(|argument| argument == "--once") {
        // With `--once`, the result must not depend on the time of day: the API is first always open, and then never.
        let busiest = Busiest::default();
        let open = ask_itself(app(&bank, 0..24, busiest.clone())?).await?;
        assert!(open.starts_with("HTTP/1.1 200") && open.ends_with("transferred"));
        let closed = ask_itself(app(&bank, 0..0, busiest.clone())?).await?;
        assert!(closed.starts_with("HTTP/1.1 503") && closed.contains("The bank is closed."));
        for response in [open, closed] {
            assert!(response.contains("sunset: ") && response.contains("x-request-id: "), "both layers saw it");
        }
        assert!(busiest.longest().is_some_and(|time| !time.is_zero()), "the observer saw them");
        return Ok(());
    }
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("the bank listens on {bank}, the gateway on {}", listener.local_addr()?);
    println!("try: curl -i -X POST http://{}/v1/transfers", listener.local_addr()?);
    Ok(axum::serve(listener, app(&bank, 9..17, Busiest::default())?).await?)
}

fn app(bank: &str, hours: Range<u64>, busiest: Busiest) -> Result<Router, Box<dyn Error>> {
    let transfers = ServiceBuilder::new()
        // Outside the policy, so that refusals carry the header too.
        .layer(DeprecationLayer::new("Thu, 31 Dec 2026 23:59:59 GMT"))
        .layer(PolicyLayer::new(BusinessHours::new(hours)))
        .service(ProxyService::builder().target(bank).build()?);
    let router = RouterService::builder().route(Route::path("/v1/transfers"), transfers).build()?;
    Ok(Router::new()
        .fallback_service(ServiceBuilder::new().layer(TraceLayer::new().observer(busiest)).service(router)))
}

/// A service behind the gateway.
async fn start_bank() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(|| async { "transferred" })).await });
    Ok(address)
}

/// Serves on a free port, sends an empty POST there, and returns the raw response.
async fn ask_itself(app: Router) -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app).await });
    let mut connection = TcpStream::connect(address).await?;
    let request = format!(
        "POST /v1/transfers HTTP/1.1\r\nhost: {address}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    connection.read_to_string(&mut response).await?;
    println!("POST http://{address}/v1/transfers\n{response}\n");
    Ok(response)
}
