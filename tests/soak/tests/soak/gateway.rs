//! The gateway under test, and the reloads that go on meanwhile.

use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use fastrand::Rng;
use harness::{Ca, ClientConfig, Gateway, Socket};
use rustls_pki_types::ServerName;
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

use crate::{
    visit::{Protocol, Visit},
    world::World,
};

/// Addresses of the origins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origins {
    pub(crate) http1: SocketAddr,
    pub(crate) http2: SocketAddr,
    pub(crate) leaving: SocketAddr,
    pub(crate) retrying: SocketAddr,
    pub(crate) closing: SocketAddr,
    pub(crate) failing: SocketAddr,
}

/// The gateway with a plain and a TLS listener, and who may connect to them.
#[derive(Debug)]
pub(crate) struct UnderTest {
    pub(crate) gateway: Gateway,
    http1: Arc<ClientConfig>,
    http2: Arc<ClientConfig>,
    origins: Origins,
    listeners: String,
    _ca: Ca,
}

const NAME: &str = "soak.example";

impl UnderTest {
    pub(crate) fn start(origins: Origins) -> Self {
        let ca = Ca::new();
        let identity = ca.server(&[NAME]);
        let (cert, key) = (identity.cert.display(), identity.key.display());
        let listeners =
            format!("- address: 127.0.0.1:0\n- address: 127.0.0.1:0\n  tls: {{cert: {cert}, key: {key}}}\n");
        let gateway = Gateway::builder("").start_file(&yaml(&listeners, origins, 0), 2);
        let (http1, http2) = (ca.trusting_client(&["http/1.1"], None), ca.trusting_client(&["h2"], None));
        Self { gateway, http1, http2, origins, listeners, _ca: ca }
    }

    /// A connection for a visit.
    pub(crate) async fn connect(&self, visit: &Visit) -> std::io::Result<Socket> {
        let socket = TcpSocket::new_v4()?;
        if let (Some(window), Protocol::Http10 | Protocol::Http11) = (visit.window, visit.protocol) {
            socket.set_recv_buffer_size(window)?;
        }
        let stream = socket.connect(self.gateway.addresses()[usize::from(visit.tls)]).await?;
        stream.set_nodelay(true)?;
        if !visit.tls {
            return Ok(Socket::Plain(stream));
        }
        let config = if visit.protocol == Protocol::Http2 { &self.http2 } else { &self.http1 };
        let name = ServerName::try_from(NAME).map_err(std::io::Error::other)?;
        let stream = TlsConnector::from(config.clone()).connect(name, stream).await?;
        Ok(Socket::Tls(Box::new(stream.into())))
    }

    /// Reloads now and then, until dropped: files that change routes and upstreams, and some that are wrong.
    pub(crate) async fn reload(&self, world: &World) {
        let file = PathBuf::from(format!("/proc/{}/cwd", self.gateway.pid()));
        let mut rng = Rng::with_seed(world.seed);
        for number in 1.. {
            tokio::time::sleep(Duration::from_millis(rng.u64(100..600))).await;
            let wrong = number % 5 == 0;
            let mut text = yaml(&self.listeners, self.origins, number);
            if wrong {
                text.push_str("- {path: /wrong, upstreem: \"a:80\"}\n");
            }
            // The gateway also looks at the file by itself, and must never see half of it.
            let (new, file) = (file.join("gateway.yaml.new"), file.join("gateway.yaml"));
            if fs::write(&new, text).and_then(|()| fs::rename(&new, &file)).is_err() {
                return;
            }
            self.gateway.signal("HUP");
            world.count(if wrong { "reloads of a wrong file" } else { "reloads" });
        }
    }
}

/// The file before any reload, or after so many.
fn yaml(listeners: &str, origins: Origins, number: u64) -> String {
    let Origins { http1, http2, leaving, retrying, closing, failing } = origins;
    // Every third changes an upstream, so that its pool is another one.
    let keep_alive = 1000 + number / 3;
    format!(
        "listeners:
{listeners}access_log: {{file: access.log}}
workers: 2
defaults: {{timeout: 60s, idle_timeout: 60s}}
upstreams:
  http1: {{target: \"{http1}\", keep_alive: {keep_alive}ms}}
  http2: {{target: \"{http2}\", protocol: http2, keep_alive: {keep_alive}ms}}
  leaving: {{target: \"{leaving}\", protocol: http2}}
routes:
- {{path_prefix: /http1, upstream: http1}}
- {{path_prefix: /http2, upstream: http2}}
- {{path_prefix: /leaving, upstream: leaving}}
- {{path_prefix: /limited, upstream: http1, limit: {{rate: 20/s, key: all}}}}
- {{path_prefix: /retrying, upstream: \"{retrying}\", retries: {{attempts: 2, on: [connect, reset, 503]}}}}
- {{path_prefix: /closing, upstream: \"{closing}\"}}
- {{path_prefix: /failing, upstream: \"{failing}\"}}
- {{path: /changing/{number}, upstream: http1}}
"
    )
}
