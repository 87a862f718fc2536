//! `axum-reverse-proxy-peer PORT ORIGIN`: the smallest proxy made with axum-reverse-proxy, on one thread.

use std::{env, error::Error, net::Ipv4Addr};

use axum::{Router, serve::ListenerExt};
use axum_reverse_proxy::ReverseProxy;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(port), Some(origin)) = (arguments.next(), arguments.next()) else {
        return Err("usage: axum-reverse-proxy-peer PORT ORIGIN".into());
    };
    let app: Router = ReverseProxy::new("/", format!("http://{origin}")).into();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?)).await?.tap_io(|stream| {
        // It fails for connections that are closed already.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, app).await?;
    Ok(())
}
