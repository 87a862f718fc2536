//! A gateway stacked under plain hyper.
//!
//! `cargo run -p hyper-embed` serves on 127.0.0.1:8080; with `--once` it asks itself one question and ends.

use std::{convert::Infallible, env, error::Error, io, net::SocketAddr, time::Duration};

use gatewright::{Body, ClientInfoLayer, ProxyService, RewriteLayer, RouterService, TraceLayer};
use http::{Request, Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceBuilder;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let order_service = start_order_service().await?;
    let routes = routes(&order_service.to_string())?;

    let once = env::args().any(|argument| argument == "--once");
    let listener = TcpListener::bind(if once { "127.0.0.1:0" } else { "127.0.0.1:8080" }).await?;
    let address = listener.local_addr()?;
    println!("the order service listens on {order_service}, the gateway on {address}");
    println!("try: curl -i http://{address}/v1/orders/1001");

    let server = serve(listener, routes);
    if !once {
        return Ok(server.await?);
    }
    tokio::spawn(server);
    let order = ask(address, "/v1/orders/1001?full=1").await?;
    println!("{order}");
    assert!(order.starts_with("HTTP/1.1 200") && order.contains("x-request-id: "), "the gateway answers");
    assert!(order.ends_with("GET /internal/orders/1001?full=1 for 127.0.0.1"), "the path is rewritten");
    Ok(())
}

/// What is behind the gateway.
fn routes(order_service: &str) -> Result<RouterService<Incoming>, Box<dyn Error>> {
    let orders = ServiceBuilder::new()
        .layer(RewriteLayer::new().replace_prefix("/v1/orders", "/internal/orders"))
        .service(ProxyService::builder().target(order_service).timeout(Duration::from_secs(5)).build()?);
    Ok(RouterService::builder().path_prefix("/v1/orders", orders).build()?)
}

/// Accepts connections for ever. The feature `server` has listeners with strict framing, limits on everything, TLS,
/// HTTP/2 and a graceful end; these few lines have none of that.
async fn serve(listener: TcpListener, routes: RouterService<Incoming>) -> io::Result<()> {
    loop {
        let (connection, peer) = listener.accept().await?;
        let gateway = ServiceBuilder::new()
            .layer(ClientInfoLayer::new().peer_from(move |_| Some(peer)))
            .layer(TraceLayer::new())
            .service(routes.clone());
        let connection = http1::Builder::new()
            // Without a timer hyper waits for a request's head for ever.
            .timer(TokioTimer::new())
            .header_read_timeout(Duration::from_secs(10))
            .serve_connection(TokioIo::new(connection), TowerToHyperService::new(gateway))
            // WebSockets go through as well.
            .with_upgrades();
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("{peer}: {error}");
            }
        });
    }
}

/// A service as a gateway has behind it: it says what it was asked, and for whom.
async fn start_order_service() -> io::Result<SocketAddr> {
    async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let client = request.headers().get("x-forwarded-for").map_or("nobody", |ip| ip.to_str().unwrap_or("?"));
        Ok(Response::new(format!("{} {} for {client}", request.method(), request.uri()).into()))
    }
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((connection, _)) = listener.accept().await {
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(connection), service_fn(answer)));
        }
    });
    Ok(address)
}

/// Sends one request, and returns the response as it came.
async fn ask(server: SocketAddr, target: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect(server).await?;
    let request = format!("GET {target} HTTP/1.1\r\nhost: {server}\r\nconnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut response = String::new();
    connection.read_to_string(&mut response).await?;
    Ok(response)
}
