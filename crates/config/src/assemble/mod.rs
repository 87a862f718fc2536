//! From settings to a gateway, and from a running gateway to the next.
//!
//! What is built is built by its settings, and what the settings of a running gateway say just so is taken over from
//! it, with all its state: an upstream with its connections, a route with its stack, a listener's TLS with its
//! sessions. A first start is the same, with nothing to take over.

mod access_log;
#[cfg(feature = "admin")]
mod admin;
mod assembly;
mod audit;
mod auth;
mod client_tls;
mod entrance;
mod gateway;
mod https;
mod keeper;
mod layers;
mod limits;
mod listeners;
mod lists;
mod made_of;
mod metrics;
mod observation;
mod parts;
mod reach;
mod reloaded;
mod restart;
mod rewriting;
mod route_layers;
mod routes;
mod service;
mod shared;
mod stack;
mod telemetry;
mod terminal;
mod tls;
mod upstreams;

pub use assembly::{Assembly, RouteStack};
pub use entrance::Entrance;
pub use gateway::Gateway;
pub use https::RedirectHttps;
pub use reloaded::{Changes, Reloaded};
pub use service::GatewayService;

use parts::Parts;

use crate::{read::Reader, settings::Settings};

/// Finds what is wrong with settings that were read, by building all that can be built without a trace.
pub(crate) fn check(settings: &Settings, reader: &mut Reader<'_>) {
    let _ = Parts::build(settings, None, &Assembly::new(), reader);
    let _ = https::build(settings, reader);
    access_log::check(&settings.access_log, reader);
    telemetry::check(&settings.telemetry, reader);
    audit::check(settings.audit.as_ref(), reader);
}
