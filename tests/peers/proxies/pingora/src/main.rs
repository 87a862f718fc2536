//! `pingora-peer PORT ORIGIN`: the smallest proxy made with Pingora, on one thread. It speaks HTTP/1.1 and, to clients
//! that begin with its preface, HTTP/2.

use std::{env, error::Error, net::SocketAddr};

use async_trait::async_trait;
use pingora_core::{
    Result,
    apps::HttpServerOptions,
    server::{Server, configuration::ServerConf},
    upstreams::peer::HttpPeer,
};
use pingora_proxy::{ProxyHttp, ProxyServiceBuilder, Session};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Forward(SocketAddr);

#[async_trait]
impl ProxyHttp for Forward {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0, false, String::new())))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(port), Some(origin)) = (arguments.next(), arguments.next()) else {
        return Err("usage: pingora-peer PORT ORIGIN".into());
    };
    let port: u16 = port.parse()?;
    let settings = ServerConf { threads: 1, upstream_keepalive_pool_size: 256, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, settings);
    server.bootstrap();
    let mut options = HttpServerOptions::default();
    options.h2c = true;
    let mut service = ProxyServiceBuilder::new(&server.configuration, Forward(origin.parse()?))
        .server_options(options)
        .build();
    service.add_tcp(&format!("127.0.0.1:{port}"));
    server.add_service(service);
    server.run_forever()
}
