//! `layer4 PORT ORIGIN`: copies bytes both ways between each client and a connection of its own to the origin.
//!
//! It knows nothing of HTTP. What it costs is what the kernel and the runtime take of any proxy.

use std::{env, error::Error, io, net::Ipv4Addr};

use tokio::{
    io::copy_bidirectional_with_sizes,
    net::{TcpListener, TcpStream},
};

/// Of each direction; enough that bodies are not bound by it.
const BUFFER: usize = 64 * 1024;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(port), Some(origin)) = (arguments.next(), arguments.next()) else {
        return Err("usage: layer4 PORT ORIGIN".into());
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.parse()?)).await?;
    loop {
        let (client, _) = listener.accept().await?;
        let origin = origin.clone();
        tokio::spawn(async move {
            if let Err(error) = copy(client, &origin).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn copy(mut client: TcpStream, origin: &str) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut upstream = TcpStream::connect(origin).await?;
    upstream.set_nodelay(true)?;
    copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER).await?;
    Ok(())
}
