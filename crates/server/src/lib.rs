//! Listeners for an API gateway.

mod accept;
mod connection;
mod drain;
mod framing;
#[cfg(fuzzing)]
pub mod fuzzing;
mod handle;
mod http1;
mod http2;
mod limits;
mod listener;
mod refused;
mod server;
mod service;
mod socket;
#[cfg(feature = "tls")]
mod tls;
mod worker;

pub use handle::ServerHandle;
pub use limits::Limits;
pub use listener::Listener;
pub use refused::Refused;
pub use server::{Server, ServerBuilder};
pub use socket::BindError;
#[cfg(feature = "tls")]
pub use tls::{ClientAuth, TlsConfig, TlsConfigBuilder, TlsError};
pub use worker::{Drained, Worker};
