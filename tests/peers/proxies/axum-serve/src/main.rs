//! `axum-serve PORT ORIGIN`: the layers of the reference binary under `axum::serve`, on one thread.
//!
//! Against the binary itself, this shows what axum's server costs in the place of ours.

use std::{
    env,
    error::Error,
    net::{Ipv4Addr, SocketAddr},
};

use axum::{Router, extract::ConnectInfo, serve::ListenerExt};
use gatewright::{ClientInfoLayer, ProxyService, RouterService, TraceLayer};
use tokio::net::TcpListener;
use tower::ServiceBuilder;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(port), Some(origin)) = (arguments.next(), arguments.next()) else {
        return Err("usage: axum-serve PORT ORIGIN".into());
    };
    let gateway =
        ServiceBuilder::new()
            .layer(ClientInfoLayer::new().peer_from(|extensions| {
                extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer)
            }))
            .layer(TraceLayer::new())
            .service(
                RouterService::builder()
                    .path_prefix("/", ProxyService::builder().target(origin).build()?)
                    .build()?,
            );
    let app = Router::new().fallback_service(gateway);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?)).await?.tap_io(|stream| {
        // It fails for connections that are closed already.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
