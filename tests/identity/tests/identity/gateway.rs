//! A gateway in this process: its own listener, one route, one origin.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use gatewright::{
    AuthLayer, Body, ClientInfoLayer, ProxyService, RouterService, TraceLayer,
    auth::Authenticate,
    server::{Listener, Server, ServerHandle, TlsConfig},
    trace::AccessLog,
};
use harness::{Origin, RawClient, Response};
use tower::ServiceBuilder;

/// A running gateway, what is behind it and what it wrote down.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) origin: Origin,
    log: AccessLog,
    lines: Lines,
    handle: ServerHandle,
}

/// Where the access log goes.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Gateway {
    /// Serves behind this layer, in cleartext.
    pub(crate) async fn start<A: Authenticate>(auth: AuthLayer<A>) -> Self {
        Self::serve(auth, None).await
    }

    /// Serves behind this layer, over TLS.
    pub(crate) async fn start_tls<A: Authenticate>(auth: AuthLayer<A>, tls: TlsConfig) -> Self {
        Self::serve(auth, Some(tls)).await
    }

    async fn serve<A: Authenticate>(auth: AuthLayer<A>, tls: Option<TlsConfig>) -> Self {
        let origin = Origin::ok().await;
        let lines = Lines::default();
        let log = AccessLog::builder().writer(lines.clone()).unwrap();
        let orders = ServiceBuilder::new()
            .layer(auth)
            .service(ProxyService::builder().target(origin.address().to_string()).build().unwrap());
        let service = ServiceBuilder::new()
            .layer(ClientInfoLayer::new())
            .layer(TraceLayer::new().access_log(log.clone()))
            .service(RouterService::<Body>::builder().path_prefix("/", orders).build().unwrap());
        let mut listener = Listener::new("127.0.0.1:0".parse().unwrap());
        if let Some(tls) = tls {
            listener = listener.tls(tls);
        }
        let server = Server::builder().listener(listener).bind().unwrap();
        let (address, handle) = (server.local_addrs()[0], server.handle());
        tokio::spawn(server.serve(service));
        Self { address, origin, log, lines, handle }
    }

    /// Asks in cleartext, with these fields.
    pub(crate) async fn get(&self, target: &str, fields: &[(&str, &str)]) -> Response {
        RawClient::once(self.address, request(target, fields)).await
    }

    /// The lines of the access log, once this many requests have ended.
    pub(crate) async fn log(&self, count: usize) -> Vec<serde_json::Value> {
        let lines = || {
            self.log.flush();
            String::from_utf8(self.lines.0.lock().unwrap().clone()).unwrap()
        };
        harness::eventually("the log has its lines", || lines().lines().count() >= count).await;
        lines().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The last line of the log says that the request was refused for this reason.
    pub(crate) async fn assert_refused(&self, count: usize, reason: &str) {
        let log = self.log(count).await;
        assert_eq!(log[count - 1]["rejection"], format!("auth:{reason}"), "{:?}", log[count - 1]);
        // Who may not do something is known.
        let is_known = reason.starts_with("insufficient_");
        assert_eq!(log[count - 1].get("principal").is_some(), is_known, "{:?}", log[count - 1]);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.handle.drain(Duration::ZERO);
    }
}

/// A GET with these fields.
pub(crate) fn request(target: &str, fields: &[(&str, &str)]) -> String {
    let mut request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in fields {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request + "\r\n"
}
