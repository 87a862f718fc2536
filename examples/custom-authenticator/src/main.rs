//! An authenticator of one's own in a gateway's stack: [`Badges`].
//!
//! `cargo run -p custom-authenticator` serves on 127.0.0.1:8080; with `--once` it asks itself a few questions and ends.

mod badges;

use std::{env, error::Error, io, net::SocketAddr};

use axum::{Router, extract::Request};
use badges::Badges;
use gatewright::{AuthLayer, ProxyService, Route, RouterService, TraceLayer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let door = start_door().await?.to_string();
    if env::args().any(|argument| argument == "--once") {
        return ask_itself(app(&door)?).await;
    }
    let listener = TcpListener::bind("127.0.0.1:8080").await?;
    println!("the door listens on {door}, the gateway on {}", listener.local_addr()?);
    println!("try: curl -i -H 'x-badge: b-17' http://{}/v1/door", listener.local_addr()?);
    Ok(axum::serve(listener, app(&door)?).await?)
}

fn app(door: &str) -> Result<Router, Box<dyn Error>> {
    let badges = Badges::new(
        &[("b-17", "ada", "enter"), ("b-18", "guest", "ring"), ("b-19", "eve", "enter")],
        &["b-19"],
    );
    let door = ServiceBuilder::new()
        .layer(AuthLayer::new(badges).scopes(["enter"]))
        .service(ProxyService::builder().target(door).build()?);
    let router = RouterService::builder().route(Route::path("/v1/door"), door).build()?;
    Ok(Router::new().fallback_service(ServiceBuilder::new().layer(TraceLayer::new()).service(router)))
}

/// A service as a gateway has behind it: it says for whom it opens, and which badge it saw.
async fn start_door() -> io::Result<SocketAddr> {
    async fn answer(request: Request) -> String {
        let seen =
            |name: &str| request.headers().get(name).map_or("none", |value| value.to_str().unwrap_or("?"));
        format!("open for {}, badge: {}", seen("x-badge-holder"), seen("x-badge"))
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(answer)).await });
    Ok(address)
}

async fn ask_itself(app: Router) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app).await });

    let nobody = ask(address, "x-badge-holder: ada").await?;
    assert!(
        nobody.starts_with("HTTP/1.1 401") && nobody.contains("www-authenticate: Badge realm=\"building\"\r\n")
    );
    let thief = ask(address, "x-badge: b-19").await?;
    assert!(thief.starts_with("HTTP/1.1 401") && thief.contains("error=\"refused\""));
    let guest = ask(address, "x-badge: b-18").await?;
    assert!(guest.starts_with("HTTP/1.1 403"), "a guest is known, and may only ring");
    let ada = ask(address, "x-badge: b-17\r\nx-badge-holder: eve").await?;
    assert!(ada.starts_with("HTTP/1.1 200") && ada.ends_with("open for ada, badge: none"));
    Ok(())
}

/// Asks for the door with these header lines, and returns the response as it came.
async fn ask(server: SocketAddr, lines: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(server).await?;
    let request = format!("GET /v1/door HTTP/1.1\r\nhost: {server}\r\n{lines}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    connection.read_to_string(&mut response).await?;
    println!("{lines}\n{response}\n");
    Ok(response)
}
