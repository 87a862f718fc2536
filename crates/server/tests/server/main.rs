//! The server over real sockets: what it refuses, what it lets through, and how connections end.

mod accept;
mod drain;
mod http1_bodies;
mod http1_exchange;
mod http1_framing;
mod http1_limits;
mod http1_upgrades;
mod http2;
mod proxy_protocol;
mod support;
#[cfg(feature = "tls")]
mod tls;
