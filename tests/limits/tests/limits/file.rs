//! A gateway in this process, of a YAML text.

use std::{net::SocketAddr, sync::Arc};

use gatewright::{
    Body, RequestRecord,
    config::{Config, Gateway},
    core::ConnectionInfo,
};
use http::{Request, Response, StatusCode};
use tower::ServiceExt;

/// A gateway of these sections and routes.
pub(crate) fn assemble(text: &str) -> Gateway {
    Gateway::assemble(&parse(text)).unwrap_or_else(|errors| panic!("{errors}"))
}

pub(crate) fn reload(gateway: &mut Gateway, text: &str) {
    gateway.reload(&parse(text)).unwrap_or_else(|errors| panic!("{errors}"));
}

fn parse(text: &str) -> Config {
    let text = format!("access_log: off\n{text}");
    Config::parse("gateway.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A request from this peer.
pub(crate) fn from(peer: &str, path: &str) -> http::request::Builder {
    let peer = SocketAddr::new(peer.parse().unwrap(), 4711);
    let record = RequestRecord::new(Some(Arc::new(ConnectionInfo::new(peer, peer))));
    Request::get(path).header("host", "api.example").extension(record)
}

pub(crate) async fn send(gateway: &Gateway, request: http::request::Builder) -> Response<impl Sized> {
    gateway.service().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

/// The status of a request from this peer.
pub(crate) async fn get(gateway: &Gateway, peer: &str, path: &str) -> StatusCode {
    send(gateway, from(peer, path)).await.status()
}

/// How many of so many requests are admitted: a redirect answers them.
pub(crate) async fn admitted(
    gateway: &Gateway,
    times: usize,
    request: impl Fn() -> http::request::Builder,
) -> usize {
    let mut admitted = 0;
    for _ in 0..times {
        match send(gateway, request()).await.status() {
            StatusCode::FOUND => admitted += 1,
            status => assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
        }
    }
    admitted
}
