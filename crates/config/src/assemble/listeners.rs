//! Listeners, and what clients may use up.

use gatewright_server::{Limits, Listener};

use crate::{
    read::Reader,
    settings::{self, Settings},
};

/// The listeners; those whose TLS cannot be set up are reported and left out.
pub(super) fn build(listeners: &[settings::Listener], reader: &mut Reader<'_>) -> Vec<Listener> {
    listeners.iter().filter_map(|listener| one(listener, reader)).collect()
}

fn one(settings: &settings::Listener, reader: &mut Reader<'_>) -> Option<Listener> {
    let mut listener = Listener::new(settings.address.value);
    if let Some(tls) = &settings.tls {
        listener = listener.tls(super::tls::build(tls, reader)?);
    }
    if !settings.proxy_protocol.is_empty() {
        listener = listener.proxy_protocol(settings.proxy_protocol.iter().copied());
    }
    Some(listener)
}

/// The server's own limits, save those that the file sets.
pub(super) fn limits(settings: &Settings) -> Limits {
    let (times, sizes) = (&settings.timeouts, &settings.client_limits);
    let mut limits = Limits::default();
    if let Some(head) = times.head {
        limits = limits.header_timeout(head);
    }
    if let Some(idle) = times.idle {
        limits = limits.keep_alive_timeout(idle);
    }
    if let Some(body) = times.body {
        limits = limits.body_timeout(body);
    }
    if let Some(write) = times.write {
        limits = limits.write_timeout(write);
    }
    if let Some(stream) = times.stream {
        limits = limits.stream_timeout(stream);
    }
    if let Some(bytes) = sizes.max_head {
        limits = limits.max_head(bytes);
    }
    if let Some(bytes) = sizes.max_target {
        limits = limits.max_target(bytes);
    }
    if let Some(count) = sizes.max_headers {
        limits = limits.max_headers(count);
    }
    if let Some(count) = sizes.max_connections {
        limits = limits.max_connections(count.get());
    }
    if let Some(count) = sizes.max_streams {
        limits = limits.max_streams(count);
    }
    if let Some(allow) = sizes.allow_underscore {
        limits = limits.allow_underscore(allow);
    }
    limits
}
