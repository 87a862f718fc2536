//! `origin http PORT` and `origin grpc PORT`: what stands behind every proxy.

mod grpc;
mod http1;

use std::{env, error::Error, net::Ipv4Addr};

use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(what), Some(port)) = (arguments.next(), arguments.next()) else {
        return Err("usage: origin http|grpc PORT".into());
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?)).await?;
    match what.as_str() {
        "http" => http1::serve(listener).await?,
        "grpc" => grpc::serve(listener).await?,
        _ => return Err(format!("no such origin: {what}").into()),
    }
    Ok(())
}
