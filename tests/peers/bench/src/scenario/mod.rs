//! What is measured, each in a file of its own.

mod axum;
mod bare;
mod bodies;
mod check;
mod cores;
mod grpc;
mod h2;
mod idle;
mod routes;
mod tls;

use crate::{Result, bench::Bench, table::Section};

/// One of them.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) run: fn(&mut Bench) -> Result<Section>,
}

pub(crate) const ALL: &[Scenario] = &[
    Scenario { name: "bare", about: "HTTP/1.1, 64 connections, responses of 256 bytes", run: bare::run },
    Scenario { name: "axum", about: "the same layers under axum's server and under ours", run: axum::run },
    Scenario { name: "idle", about: "memory of connections that do nothing", run: idle::run },
    Scenario { name: "routes", about: "10 and 10,000 routes", run: routes::run },
    Scenario { name: "check", about: "gatewright check on 10,000 routes", run: check::run },
    Scenario { name: "bodies", about: "1 KiB and 1 MiB down, 1 MiB up", run: bodies::run },
    Scenario { name: "h2", about: "HTTP/2 in, HTTP/1.1 out", run: h2::run },
    Scenario { name: "grpc", about: "unary gRPC, HTTP/2 in and out", run: grpc::run },
    Scenario { name: "tls", about: "TLS handshakes, full and resumed", run: tls::run },
    Scenario { name: "cores", about: "one core and two", run: cores::run },
];
